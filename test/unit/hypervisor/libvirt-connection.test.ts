import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  authList,
  connectGetHostname,
} from "../../../src/hypervisor/libvirt/rpc/procedures/connect.ts";
import {
  domainGetXmlDesc,
  domainLookupByName,
  domainSuspend,
} from "../../../src/hypervisor/libvirt/rpc/procedures/domains.ts";
import { Program } from "../../../src/hypervisor/libvirt/rpc/programs.ts";
import { delay } from "../../../src/platform/clock.ts";
import { type FakeCall, FakeLibvirt, replyTo } from "../../support/fake-libvirt.ts";

const protocol = "SOJ_LIBVIRT_PROTOCOL";
const web1 = { name: "web1", uuid: "9f1c1b6e-0c0e-4d57-8a53-0f6a3c6f0a11", id: 3 };

describe("LibvirtConnection", () => {
  let fake: FakeLibvirt;

  beforeEach(async () => {
    fake = await FakeLibvirt.listen();
  });
  afterEach(() => fake[Symbol.asyncDispose]());

  test("replies may come in any order", async () => {
    const libvirt = await fake.connect();
    const calls: FakeCall[] = [];
    fake.answer(domainLookupByName, (call) => {
      calls.push(call);
      if (calls.length < 3) return undefined;
      for (const one of calls.toReversed()) {
        const { name } = domainLookupByName.arguments.decode(one.payload);
        fake.say(replyTo(one, domainLookupByName.reply.encode({ domain: { ...web1, name } })));
      }
      return undefined;
    });
    const names = ["one", "two", "three"];
    const replies = await Promise.all(
      names.map((name) => libvirt.call(domainLookupByName, { name })),
    );
    expect(replies.map(({ domain }) => domain.name)).toEqual(names);
  });

  test("what libvirt refuses says so in its words, with its numbers", async () => {
    const libvirt = await fake.connect();
    const description = "Domain not found: no domain with matching name 'web9'";
    fake.refuse(domainLookupByName, { code: 42, domain: 10, level: 2, description });
    await expect(libvirt.call(domainLookupByName, { name: "web9" })).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_REFUSED",
      procedure: "domain_lookup_by_name",
      libvirtCode: 42,
      libvirtDomain: 10,
      description,
    });
    expect(libvirt.isOpen).toBe(true);
  });

  test("no more calls than agreed are with libvirt, the others wait for their turn", async () => {
    const libvirt = await fake.connect({ mostInFlight: 2 });
    const waiting: FakeCall[] = [];
    const before = fake.calls.length;
    fake.answer(domainSuspend, (call) => {
      waiting.push(call);
      return undefined;
    });
    const replies = [1, 2, 3].map(() => libvirt.call(domainSuspend, { domain: web1 }));
    await expect.poll(() => waiting.length).toBe(2);
    await delay(20);
    expect(fake.calls.length - before).toBe(2);
    for (const call of waiting.splice(0)) fake.say(replyTo(call, Buffer.alloc(0)));
    await expect.poll(() => waiting.length).toBe(1);
    for (const call of waiting) fake.say(replyTo(call, Buffer.alloc(0)));
    expect(await Promise.all(replies)).toEqual([{}, {}, {}]);
  });

  test("a call that is given up keeps its place until its late reply, which nobody minds", async () => {
    const libvirt = await fake.connect({ mostInFlight: 1 });
    const held: FakeCall[] = [];
    fake.answer(domainSuspend, (call) => {
      held.push(call);
      return undefined;
    });
    fake.reply(connectGetHostname, () => ({ hostname: "host-a" }));
    await expect(
      libvirt.call(domainSuspend, { domain: web1 }, { timeoutMs: 20 }),
    ).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_TIMEOUT", retryable: true });
    await expect(libvirt.call(connectGetHostname, {}, { timeoutMs: 20 })).rejects.toThrow(
      "not sent",
    );
    const next = libvirt.call(connectGetHostname, {});
    for (const call of held) fake.say(replyTo(call, Buffer.from("not even a reply")));
    expect(await next).toEqual({ hostname: "host-a" });
  });

  test("an end of the connection ends the calls that wait for their turn too", async () => {
    const libvirt = await fake.connect({ mostInFlight: 1 });
    fake.answer(domainSuspend, ({ socket }) => {
      socket.destroy();
      return undefined;
    });
    const calls = [1, 2].map(() => libvirt.call(domainSuspend, { domain: web1 }));
    for (const end of await Promise.allSettled(calls)) {
      expect(end).toMatchObject({ status: "rejected", reason: { code: "SOJ_LIBVIRT_CLOSED" } });
    }
  });

  test("more calls than can ever be served are refused at once", async () => {
    const libvirt = await fake.connect({ mostInFlight: 1 });
    fake.answer(domainSuspend, () => undefined);
    const calls = Array.from({ length: 300 }, () => libvirt.call(domainSuspend, { domain: web1 }));
    const first = await Promise.race(calls).catch((error: unknown) => error);
    expect(first).toMatchObject({ code: "SOJ_LIBVIRT_BUSY", retryable: true });
    libvirt.close();
    await Promise.allSettled(calls);
  });

  test("a signal gives a call up, before it is sent too", async () => {
    const libvirt = await fake.connect();
    fake.answer(domainSuspend, () => undefined);
    const controller = new AbortController();
    const { signal } = controller;
    const call = libvirt.call(domainSuspend, { domain: web1 }, { signal, timeoutMs: null });
    controller.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
    await expect(libvirt.call(domainSuspend, { domain: web1 }, { signal })).rejects.toThrow(
      "enough",
    );
  });

  test("arguments that do not fit are not sent", async () => {
    const libvirt = await fake.connect();
    const before = fake.calls.length;
    await expect(libvirt.call(domainLookupByName, { name: "a\0b" })).rejects.toMatchObject({
      code: "SOJ_LIBVIRT_ARGUMENT",
    });
    expect(fake.calls.length).toBe(before);
    expect(libvirt.isOpen).toBe(true);
  });

  test("a reply of four megabytes in one piece after another is read whole", async () => {
    const libvirt = await fake.connect();
    const xml = `<domain>${"x".repeat(4_000_000)}</domain>`;
    fake.reply(domainGetXmlDesc, () => ({ xml }));
    const reply = await libvirt.call(domainGetXmlDesc, { domain: web1, flags: 0 });
    expect(reply.xml === xml).toBe(true);
  });

  const endings: [string, (call: FakeCall, fake: FakeLibvirt) => Uint8Array | undefined, string][] =
    [
      ["hanging up", (_, it) => void it.hangUp(), "SOJ_LIBVIRT_CLOSED"],
      ["a packet of length 0", () => Buffer.alloc(28), "SOJ_LIBVIRT_PROTOCOL"],
      [
        "a huge packet",
        (call) => withLength(replyTo(call, Buffer.alloc(4)), 0xffff_ffff),
        protocol,
      ],
      ["another program", (call) => replyTo(call, Buffer.alloc(4), { program: 0x1234 }), protocol],
      [
        "QEMU's program",
        (call) => replyTo(call, Buffer.alloc(4), { program: Program.qemu }),
        protocol,
      ],
      ["another version", (call) => replyTo(call, Buffer.alloc(4), { version: 2 }), protocol],
      ["another procedure", (call) => replyTo(call, Buffer.alloc(4), { procedure: 99 }), protocol],
      ["another serial", (call) => replyTo(call, Buffer.alloc(4), { serial: 4711 }), protocol],
      ["an odd status", (call) => replyTo(call, Buffer.alloc(4), { status: 2 }), protocol],
      ["a call", (call) => replyTo(call, Buffer.alloc(0), { type: 0 }), protocol],
      ["a stream", (call) => replyTo(call, Buffer.alloc(0), { type: 3, status: 2 }), protocol],
      ["files", (call) => replyTo(call, Buffer.alloc(4), { type: 5 }), protocol],
      ["a truncated reply", (call) => replyTo(call, Buffer.alloc(2)), protocol],
      ["too long a string", (call) => replyTo(call, Buffer.alloc(8, 0x7f)), protocol],
      ["bytes after the reply", (call) => replyTo(call, Buffer.alloc(8)), protocol],
      ["an error that is none", (call) => replyTo(call, Buffer.alloc(3), { status: 1 }), protocol],
      [
        "an event that nobody asked for",
        (call) => replyTo(call, Buffer.alloc(4), { procedure: 107, type: 2 }),
        protocol,
      ],
      [
        "a keepalive packet with a payload",
        (call) => replyTo(call, Buffer.alloc(4), { program: Program.keepalive, type: 2 }),
        protocol,
      ],
    ];
  test.each(endings)(
    "%s ends the connection with a typed error; a new one works",
    async (_, answer, code) => {
      const libvirt = await fake.connect();
      fake.answer(connectGetHostname, (call) => answer(call, fake));
      fake.answer(domainSuspend, () => undefined);
      const other = libvirt.call(domainSuspend, { domain: web1 });
      const [asked, pending] = await Promise.allSettled([
        libvirt.call(connectGetHostname, {}),
        other,
      ]);
      for (const end of [asked, pending]) {
        expect(end).toMatchObject({ status: "rejected", reason: { code } });
      }
      expect(await libvirt.closed).toMatchObject({ code });
      expect(libvirt.isOpen).toBe(false);
      await expect(libvirt.call(connectGetHostname, {})).rejects.toMatchObject({ code });
      fake.reply(connectGetHostname, () => ({ hostname: "host-a" }));
      const again = await fake.connect();
      expect(await again.call(connectGetHostname, {})).toEqual({ hostname: "host-a" });
    },
  );

  test("an end in the middle of a packet says so", async () => {
    const libvirt = await fake.connect();
    fake.answer(connectGetHostname, (call) => {
      const whole = replyTo(call, Buffer.alloc(100));
      call.socket.end(whole.subarray(0, 60));
      return undefined;
    });
    await expect(libvirt.call(connectGetHostname, {})).rejects.toThrow(/60 bytes into a packet/);
  });

  test("a libvirt that never answers is given up", async () => {
    fake.answer(authList, () => undefined);
    await expect(fake.connect({ timeoutMs: 50 })).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_TIMEOUT",
    });
  });

  test("disposing takes leave", async () => {
    const libvirt = await fake.connect();
    await libvirt[Symbol.asyncDispose]();
    expect(fake.procedures.at(-1)).toBe(2);
    expect(libvirt.isOpen).toBe(false);
  });
});

function withLength(packet: Buffer, length: number): Buffer {
  packet.writeUInt32BE(length);
  return packet;
}
