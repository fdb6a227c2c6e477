import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LibvirtConnection } from "../../../src/hypervisor/libvirt/rpc/connection.ts";
import {
  type LifecycleMessage,
  lifecycleEvent,
  rebootEvent,
} from "../../../src/hypervisor/libvirt/rpc/events/domain-events.ts";
import { monitorEvent } from "../../../src/hypervisor/libvirt/rpc/events/monitor-event.ts";
import { encodePacket } from "../../../src/hypervisor/libvirt/rpc/packet.ts";
import {
  connectDomainEventCallbackDeregisterAny,
  connectDomainEventCallbackRegisterAny,
  connectGetHostname,
} from "../../../src/hypervisor/libvirt/rpc/procedures/connect.ts";
import { connectDomainMonitorEventRegister } from "../../../src/hypervisor/libvirt/rpc/procedures/qemu.ts";
import { Program } from "../../../src/hypervisor/libvirt/rpc/programs.ts";
import { monotonicMs } from "../../../src/platform/clock.ts";
import { eventPacket, FakeLibvirt, replyTo } from "../../support/fake-libvirt.ts";

const domain = { name: "web1", uuid: "9f1c1b6e-0c0e-4d57-8a53-0f6a3c6f0a11", id: 3 };
const suspended = { domain, event: 3, detail: 0 };

describe("events", () => {
  let fake: FakeLibvirt;
  let connection: LibvirtConnection;
  let heard: LifecycleMessage[];
  let heardAtMs: number[];

  beforeEach(async () => {
    fake = await FakeLibvirt.listen();
    heard = [];
    heardAtMs = [];
    let callbackId = 7;
    fake.reply(connectDomainEventCallbackRegisterAny, () => ({ callbackId: callbackId++ }));
    fake.reply(connectDomainEventCallbackDeregisterAny, () => ({}));
    fake.reply(connectDomainMonitorEventRegister, () => ({ callbackId: 7 }));
    fake.reply(connectGetHostname, () => ({ hostname: "host-a" }));
    connection = await fake.connect();
  });
  afterEach(() => fake[Symbol.asyncDispose]());

  const listen = (message: LifecycleMessage, receivedMs: number) => {
    heard.push(message);
    heardAtMs.push(receivedMs);
  };
  /** Everything that was sent before has been read when this resolves. */
  const settle = () => connection.call(connectGetHostname, {});

  test("reach who registered, with the time of their arrival, until that is over", async () => {
    const beforeMs = monotonicMs();
    const subscription = await connection.subscribe(lifecycleEvent, listen, { domain });
    fake.event(lifecycleEvent, { callbackId: 7, ...suspended });
    await settle();
    expect(heard).toEqual([{ callbackId: 7, ...suspended }]);
    expect(heardAtMs[0]).toBeGreaterThanOrEqual(beforeMs);
    expect(heardAtMs[0]).toBeLessThanOrEqual(monotonicMs());
    const args = fake.calls.find(({ header }) => header.procedure === 316)?.payload;
    expect(connectDomainEventCallbackRegisterAny.arguments.decode(args ?? Buffer.alloc(0))).toEqual(
      { eventId: 0, domain },
    );
    await subscription[Symbol.asyncDispose]();
    fake.event(lifecycleEvent, { callbackId: 7, ...suspended });
    await settle();
    expect(heard).toHaveLength(1);
    expect(fake.calls.map(({ header }) => header.procedure)).toContain(317);
  });

  test("that come before and right after the reply to their registration are not lost", async () => {
    fake.answer(connectDomainEventCallbackRegisterAny, (call) => {
      const before = eventPacket(lifecycleEvent, { callbackId: 7, ...suspended, detail: 1 });
      const reply = connectDomainEventCallbackRegisterAny.reply.encode({ callbackId: 7 });
      const after = eventPacket(lifecycleEvent, { callbackId: 7, ...suspended, detail: 2 });
      return Buffer.concat([before, replyTo(call, reply), after]);
    });
    await connection.subscribe(lifecycleEvent, listen);
    expect(heard.map(({ detail }) => detail)).toEqual([1, 2]);
  });

  test("of two kinds go their own ways, and those of the monitor too, whatever their numbers", async () => {
    const others: unknown[] = [];
    await connection.subscribe(lifecycleEvent, listen);
    await connection.subscribe(rebootEvent, (message) => others.push(message));
    await connection.subscribeMonitor((message) => others.push(message), { event: "STOP" });
    const stop = {
      callbackId: 7,
      domain,
      event: "STOP",
      seconds: 1_700_000_000n,
      microseconds: 5,
      details: null,
    };
    fake.event(monitorEvent, stop);
    fake.event(rebootEvent, { callbackId: 8, domain });
    fake.event(lifecycleEvent, { callbackId: 7, ...suspended });
    await settle();
    expect(heard).toHaveLength(1);
    expect(others).toEqual([stop, { callbackId: 8, domain }]);
  });

  test("for nobody are dropped, however many", async () => {
    for (let count = 0; count < 300; count++) {
      fake.event(lifecycleEvent, { callbackId: 1, ...suspended });
    }
    await settle();
    expect(connection.isOpen).toBe(true);
  });

  test("a listener that fails disturbs nobody", async () => {
    await connection.subscribe(lifecycleEvent, () => {
      throw new Error("a listener's fault");
    });
    await connection.subscribe(lifecycleEvent, listen);
    fake.event(lifecycleEvent, { callbackId: 7, ...suspended });
    fake.event(lifecycleEvent, { callbackId: 8, ...suspended });
    await settle();
    expect(heard).toHaveLength(1);
  });

  test.each([
    ["of another kind than was registered", eventPacket(rebootEvent, { callbackId: 7, domain })],
    ["that cannot be read", eventOf(lifecycleEvent.procedure, Buffer.alloc(5))],
    ["of a kind that does not exist", eventOf(9999, Buffer.alloc(4))],
  ])("one %s ends the connection", async (_, packet) => {
    await connection.subscribe(lifecycleEvent, listen);
    fake.say(packet);
    expect(await connection.closed).toMatchObject({ code: "SOJ_LIBVIRT_PROTOCOL" });
  });

  test("a flood for a registration that is not answered ends the connection", async () => {
    fake.answer(connectDomainEventCallbackRegisterAny, () => undefined);
    const subscribing = connection.subscribe(lifecycleEvent, listen);
    subscribing.catch(() => {});
    await expect.poll(() => fake.calls.at(-1)?.header.procedure).toBe(316);
    for (let count = 0; count < 300; count++) {
      fake.event(lifecycleEvent, { callbackId: 1, ...suspended });
    }
    await expect(subscribing).rejects.toMatchObject({ code: "SOJ_LIBVIRT_PROTOCOL" });
  });

  test("that the daemon behind libvirt is lost ends the connection", async () => {
    fake.say(eventOf(362, Buffer.from([0, 0, 0, 1])));
    expect(await connection.closed).toMatchObject({
      code: "SOJ_LIBVIRT_CLOSED",
      message: expect.stringContaining("reason 1"),
    });
  });
});

function eventOf(procedure: number, payload: Buffer): Buffer {
  const header = { program: Program.remote, version: 1, procedure, type: 2, serial: 1, status: 0 };
  return encodePacket(header, payload);
}
