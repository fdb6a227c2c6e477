import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  authList,
  authPolkit,
  authType,
  connectOpen,
  connectSupportsFeature,
} from "../../../src/hypervisor/libvirt/rpc/procedures/connect.ts";
import { FakeLibvirt } from "../../support/fake-libvirt.ts";

describe("a new connection", () => {
  let fake: FakeLibvirt;

  beforeEach(async () => {
    fake = await FakeLibvirt.listen();
  });
  afterEach(() => fake[Symbol.asyncDispose]());

  test("authenticates, agrees on keepalive, opens, and asks what is there", async () => {
    const { facts, isOpen } = await fake.connect();
    expect(fake.procedures.slice(0, 3)).toEqual([66, 60, 1]);
    expect(connectOpen.arguments.decode(fake.calls[2]?.payload ?? Buffer.alloc(0))).toEqual({
      name: "qemu:///system",
      flags: 0,
    });
    expect(facts).toEqual({ version: "9.0.2", driver: "QEMU", hasKeepalive: true });
    expect(isOpen).toBe(true);
  });

  test("a socket that is not there makes way for the next", async () => {
    const { path } = await fake.connect({ sockets: ["/nonexistent/virtqemud-sock", fake.path] });
    expect(path).toBe(fake.path);
    await expect(fake.connect({ sockets: ["/nonexistent/libvirt-sock"] })).rejects.toMatchObject({
      code: "SOJ_LIBVIRT_UNREACHABLE",
      retryable: true,
      exitCode: 3,
    });
  });

  test("polkit is asked when libvirt wants it", async () => {
    fake.reply(authList, () => ({ types: [authType.polkit] }));
    fake.reply(authPolkit, () => ({ complete: 1 }));
    await fake.connect();
    expect(fake.procedures.slice(0, 2)).toEqual([66, 70]);
  });

  test.each([
    ["polkit's no", authType.polkit, /authentication unavailable/],
    ["a password", authType.sasl, /SASL/],
  ])("%s is an access error with a hint", async (_, type, message) => {
    fake.reply(authList, () => ({ types: [type] }));
    const description = "authentication unavailable: no polkit agent available";
    fake.refuse(authPolkit, { code: 94, domain: 7, level: 2, description });
    const opening = fake.connect();
    await expect(opening).rejects.toMatchObject({
      code: "SOJ_LIBVIRT_ACCESS",
      exitCode: 3,
      hint: expect.stringContaining("group libvirt"),
    });
    await expect(opening).rejects.toThrow(message);
  });

  test("polkit may also say no without an error", async () => {
    fake.reply(authList, () => ({ types: [authType.polkit] }));
    fake.reply(authPolkit, () => ({ complete: 0 }));
    await expect(fake.connect()).rejects.toMatchObject({ code: "SOJ_LIBVIRT_ACCESS" });
  });

  test.each([
    ["events that carry their registration", 14],
    ["typed migration parameters", 13],
  ])("a libvirt without %s is too old", async (_, missing) => {
    fake.reply(connectSupportsFeature, ({ feature }) => ({
      supported: feature === missing ? 0 : 1,
    }));
    await expect(fake.connect()).rejects.toMatchObject({
      code: "SOJ_LIBVIRT_TOO_OLD",
      exitCode: 3,
    });
  });

  test("a URI that libvirt refuses is told in its words", async () => {
    const description = "no connection driver available for xen:///system";
    fake.refuse(connectOpen, { code: 5, domain: 0, level: 2, description });
    await expect(fake.connect()).rejects.toMatchObject({ libvirtCode: 5, description });
  });
});
