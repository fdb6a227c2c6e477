import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { QemuProcess } from "../../../src/hypervisor/qemu/qemu-process.ts";
import {
  findProcessByArgument,
  hasArgument,
  identifyProcess,
  isSameProcess,
} from "../../../src/platform/process-identity.ts";

describe("a process", () => {
  const argument = `0.${process.pid}987654321d`;
  let child: ReturnType<typeof spawn>;
  let pid: number;

  beforeEach(async () => {
    child = spawn("/bin/sleep", ["1000", argument], { stdio: "ignore" });
    await once(child, "spawn");
    pid = child.pid ?? 0;
  });
  afterEach(() => child.kill("SIGKILL"));

  test("is known by number and start", () => {
    const identity = identifyProcess(pid);
    expect(identity).toMatchObject({ pid });
    if (identity === null) return;
    expect(isSameProcess(identity)).toBe(true);
    expect(isSameProcess({ ...identity, startTicks: identity.startTicks - 1 })).toBe(false);
    expect(isSameProcess({ ...identity, pid: process.pid })).toBe(false);
  });

  test("is found by a whole argument only", () => {
    expect(findProcessByArgument(argument)?.pid).toBe(pid);
    expect(findProcessByArgument(argument.slice(0, -1))).toBeNull();
    expect(hasArgument(pid, "1000")).toBe(true);
    expect(hasArgument(pid, "100")).toBe(false);
  });

  test("with a later start than the recorded one is another and is never killed", async () => {
    const startTicks = (identifyProcess(pid)?.startTicks ?? 0) - 1;
    const recorded = new QemuProcess({ pid, startTicks });
    expect(recorded.isAlive()).toBe(false);
    await recorded.kill();
    await recorded.ended;
    expect(identifyProcess(pid)).not.toBeNull();
  });

  test("that is killed is seen ending, also when it is nobody's child here", async () => {
    const watched = new QemuProcess(identifyProcess(pid) ?? { pid: 0, startTicks: 0 });
    expect(await watched.waitForEnd(10)).toBe(false);
    await watched.kill();
    expect(watched.isAlive()).toBe(false);
    await watched.ended;
  });

  test("that was never there", () => {
    expect(identifyProcess(2 ** 30)).toBeNull();
    expect(hasArgument(2 ** 30, "x")).toBe(false);
  });
});
