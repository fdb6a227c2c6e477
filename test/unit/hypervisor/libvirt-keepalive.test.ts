import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type KeepalivePace,
  usualKeepalive,
} from "../../../src/hypervisor/libvirt/rpc/keepalive.ts";
import { encodePacket } from "../../../src/hypervisor/libvirt/rpc/packet.ts";
import { connectSupportsFeature } from "../../../src/hypervisor/libvirt/rpc/procedures/connect.ts";
import { Program } from "../../../src/hypervisor/libvirt/rpc/programs.ts";
import { delay } from "../../../src/platform/clock.ts";
import { FakeLibvirt } from "../../support/fake-libvirt.ts";

describe("keepalive", () => {
  let fake: FakeLibvirt;

  beforeEach(async () => {
    fake = await FakeLibvirt.listen();
  });
  afterEach(() => fake[Symbol.asyncDispose]());

  const open = (keepalive: KeepalivePace = usualKeepalive) => fake.connect({ keepalive });

  test("libvirt's ping is answered", async () => {
    await open();
    const ping = { program: Program.keepalive, version: 1, procedure: 1, type: 2, serial: 0 };
    fake.say(encodePacket({ ...ping, status: 0 }, Buffer.alloc(0)));
    await expect.poll(() => fake.keepalives).toMatchObject([{ procedure: 2, type: 2, serial: 0 }]);
  });

  test("a libvirt that is alive is pinged, one that is silent is given up", async () => {
    const libvirt = await open({ intervalMs: 15, mostUnanswered: 3 });
    await expect.poll(() => fake.keepalives.length, { timeout: 2_000 }).toBeGreaterThan(4);
    expect(libvirt.isOpen).toBe(true);
    fake.isAwake = false;
    expect(await libvirt.closed).toMatchObject({ code: "SOJ_LIBVIRT_CLOSED", retryable: true });
  });

  test("a libvirt that speaks by itself is not pinged", async () => {
    await open({ intervalMs: 100, mostUnanswered: 1 });
    const header = { program: Program.keepalive, version: 1, procedure: 1, type: 2, serial: 0 };
    const ping = encodePacket({ ...header, status: 0 }, Buffer.alloc(0));
    for (let count = 0; count < 30; count++) {
      fake.say(ping);
      await delay(10);
    }
    expect(new Set(fake.keepalives.map(({ procedure }) => procedure))).toEqual(new Set([2]));
  });

  test("a connection that has ended leaves no timer", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout");
    const before = timers().length;
    const libvirt = await open({ intervalMs: 60_000, mostUnanswered: 1 });
    expect(timers().length).toBe(before + 1);
    libvirt.close();
    expect(timers().length).toBe(before);
  });

  test("without keepalive on the other side nothing is pinged", async () => {
    fake.reply(connectSupportsFeature, ({ feature }) => ({ supported: feature === 10 ? 0 : 1 }));
    const libvirt = await open({ intervalMs: 5, mostUnanswered: 1 });
    await delay(40);
    expect(libvirt.isOpen).toBe(true);
    expect(fake.keepalives).toEqual([]);
    expect(libvirt.facts.hasKeepalive).toBe(false);
  });

  test("a libvirt that pings without end and reads nothing does not fill our memory", async () => {
    const libvirt = await open();
    const header = { program: Program.keepalive, version: 1, procedure: 1, type: 2, serial: 0 };
    const ping = encodePacket({ ...header, status: 0 }, Buffer.alloc(0));
    fake.stopReading();
    const flood = Buffer.concat(Array<Buffer>(4000).fill(ping));
    for (let count = 0; count < 20; count++) await fake.sayAll(flood);
    expect(libvirt.backlogBytes).toBeLessThan(1.2 * 1024 * 1024);
    expect(libvirt.isOpen).toBe(true);
  });
});
