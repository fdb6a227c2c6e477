import { spawn } from "node:child_process";
import { once } from "node:events";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { guestDefinitionFromJson, guestUuid } from "../../../src/hypervisor/definition.ts";
import { QemuProcess } from "../../../src/hypervisor/qemu/qemu-process.ts";
import { QmpSession } from "../../../src/hypervisor/qemu/qmp/session.ts";
import { verifyGuest } from "../../../src/hypervisor/qemu/verify-guest.ts";
import { identifyProcess } from "../../../src/platform/process-identity.ts";
import { FakeQmp } from "../../support/fake-qmp.ts";

const definition = guestDefinitionFromJson({ name: "web1", memory_mib: 64 });

/** A monitor of `name`'s process `instanceId`. */
function monitorOf(name: string, instanceId: string) {
  const uuid = guestUuid(guestDefinitionFromJson({ name, memory_mib: 64 }));
  return ({ execute }: { execute: string }) => {
    if (execute === "query-name") return { name };
    if (execute === "query-uuid") return { UUID: uuid };
    if (execute === "query-chardev") return [{ label: `qmp-${instanceId}`, filename: "unix:…" }];
    return {};
  };
}

describe("QmpSession", () => {
  let fake: FakeQmp;
  let child: ReturnType<typeof spawn>;
  let session: QmpSession;

  beforeEach(async () => {
    fake = await FakeQmp.listen(monitorOf("web1", "00000001"));
    child = spawn("/bin/sleep", ["1000"], { stdio: "ignore" });
    await once(child, "spawn");
    const identity = identifyProcess(child.pid ?? 0);
    if (identity === null) throw new Error("the child is not there");
    session = new QmpSession({
      guest: "web1",
      socketPath: fake.path,
      process: new QemuProcess(identity),
      verify: (connection) => verifyGuest(connection, definition, "00000001"),
      logger: pino({ level: "silent" }),
      connectTimeoutMs: 500,
    });
  });
  afterEach(async () => {
    session.dispose();
    child.kill("SIGKILL");
    await fake[Symbol.asyncDispose]();
  });

  const anyEvent = (timeoutMs = 5000, signal?: AbortSignal) =>
    session.wait("any event", () => true, {
      timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });

  test.each([
    ["another guest", "db1", "00000001"],
    ["another process of the guest", "web1", "00000002"],
  ])("refuses the monitor of %s and sends it nothing more", async (_, name, instanceId) => {
    fake.answer = monitorOf(name, instanceId);
    await expect(session.connect()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_WRONG_GUEST" });
    await expect(session.execute("cont")).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_WRONG_GUEST",
    });
    expect(fake.commands.map(({ execute }) => execute)).not.toContain("cont");
  });

  test("a lost connection is opened again; listeners stay, those who wait are told", async () => {
    await session.connect();
    const names: string[] = [];
    session.events.listen(({ name }) => names.push(name));
    const waiting = anyEvent();
    fake.answer = () => fake.hangUp();
    const lost = { code: "SOJ_HYPERVISOR_DISCONNECTED", retryable: true };
    await Promise.all([
      expect(session.execute("stop")).rejects.toMatchObject(lost),
      expect(waiting).rejects.toMatchObject(lost),
    ]);
    fake.answer = monitorOf("web1", "00000001");
    const name = () => session.execute("query-name").catch(() => null);
    await expect.poll(name, { timeout: 5000 }).toEqual({ name: "web1" });
    const arrived = anyEvent();
    fake.event("RESUME");
    await arrived;
    expect(names).toEqual(["RESUME"]);
  });

  test("when the process ends, everything fails as gone", async () => {
    await session.connect();
    const waiting = anyEvent();
    fake.answer = () => undefined;
    const pending = session.execute("query-status");
    child.kill("SIGKILL");
    await once(child, "exit");
    fake.hangUp();
    const gone = { code: "SOJ_HYPERVISOR_GONE" };
    await Promise.all([
      expect(pending).rejects.toMatchObject(gone),
      expect(waiting).rejects.toMatchObject(gone),
    ]);
    await expect(session.execute("cont")).rejects.toMatchObject(gone);
    await expect(anyEvent()).rejects.toMatchObject(gone);
  });

  test("waiting ends with the time-out, which names what was awaited, or with the signal", async () => {
    await session.connect();
    await expect(anyEvent(10)).rejects.toMatchObject({
      code: "SOJ_EVENT_TIMEOUT",
      message: "no any event within 10 ms",
    });
    await expect(anyEvent(5000, AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
    const controller = new AbortController();
    const waiting = anyEvent(5000, controller.signal);
    controller.abort(new Error("later"));
    await expect(waiting).rejects.toThrow("later");
  });

  test("an event that a command causes is not missed by a waiter created before it", async () => {
    await session.connect();
    fake.answer = () => {
      fake.event("STOP");
      return {};
    };
    const stopped = session.wait("STOP", ({ name }) => name === "STOP", { timeoutMs: 1000 });
    await session.execute("stop");
    expect(await stopped).toMatchObject({ name: "STOP" });
  });
});
