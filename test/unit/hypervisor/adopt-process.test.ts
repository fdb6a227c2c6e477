import { existsSync } from "node:fs";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { guestDefinitionFromJson } from "../../../src/hypervisor/definition.ts";
import type { RunningProcess } from "../../../src/hypervisor/hypervisor.ts";
import { listenerOf, listensOn } from "../../../src/hypervisor/qemu/adoption/process-facts.ts";
import { listeningSockets } from "../../../src/hypervisor/qemu/adoption/unix-sockets.ts";
import { createQemuHypervisor } from "../../../src/hypervisor/qemu/qemu-hypervisor.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { commandLineDigest, identifyProcess } from "../../../src/platform/process-identity.ts";
import { type FakeCommand, FakeQmp } from "../../support/fake-qmp.ts";

const uuid = "2a5b1e64-3f53-4f8e-a9a4-0f2a5f7b6c11";
const definition = guestDefinitionFromJson({
  ...{ name: "byhand", uuid, memory_mib: 64, accelerator: "tcg", qemu_arguments: ["-m", "64"] },
  nics: [{ mac: "52:54:00:00:00:01", addresses: ["10.1.0.20/24"] }],
});

function answer({ execute }: FakeCommand): unknown {
  if (execute === "query-name") return { name: "vm1" };
  if (execute === "query-uuid") return { UUID: uuid };
  if (execute === "query-status") return { status: "running" };
  return {};
}

describe("a process that somebody else started", () => {
  let runDir: string;
  let monitor: FakeQmp;

  beforeEach(async () => {
    runDir = await mkdtemp("/tmp/adopt-");
    monitor = await FakeQmp.listen(answer);
  });

  afterEach(async () => {
    await monitor[Symbol.asyncDispose]();
    await rm(runDir, { recursive: true, force: true });
  });

  const newHypervisor = () => createQemuHypervisor({ runDir, logger: createLogger("silent") });

  /** This very process, which listens on the monitor. */
  function running(changes: Partial<RunningProcess> = {}): RunningProcess {
    return {
      ...{ definition, nics: [{ tapName: "tap77" }], monitor: monitor.path, ownName: "vm1" },
      ...{ pid: process.pid, startTicks: identifyProcess(process.pid)?.startTicks ?? 0 },
      commandLineDigest: commandLineDigest(process.pid) ?? "",
      ...changes,
    };
  }

  test("is found again by the next daemon, and by none once it was let go", async () => {
    const hypervisor = newHypervisor();
    const instance = await hypervisor.adopt(running());
    expect(instance).toMatchObject({ guest: "byhand", isAdopted: true, incoming: false });
    expect(instance.nics).toEqual([{ tapName: "tap77" }]);
    expect(await instance.runState()).toBe("running");
    await instance[Symbol.asyncDispose]();

    const next = newHypervisor();
    const [found] = await next.findInstances();
    expect(found).toMatchObject({ guest: "byhand", isAdopted: true, pid: process.pid });
    if (found === undefined) throw new Error("not found");
    await next.letGo(found);
    expect(await newHypervisor().findInstances()).toEqual([]);
    expect(existsSync(monitor.path)).toBe(true);
  });

  test.each([
    ["another name", { ownName: "vm2" }],
    ["no name", { ownName: null }],
    ["another guest", { definition: { ...definition, uuid: uuid.replace("2a", "2b") } }],
    ["another process", { pid: 1, startTicks: identifyProcess(1)?.startTicks ?? 0 }],
  ])("%s behind the monitor is refused, and nothing is written", async (_what, changes) => {
    const hypervisor = newHypervisor();
    await expect(hypervisor.adopt(running(changes))).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_WRONG_GUEST",
    });
    expect(await newHypervisor().findInstances()).toEqual([]);
  });

  test("a later process of the same number is not taken for it", async () => {
    const instance = await newHypervisor().adopt(running({ commandLineDigest: "0".repeat(64) }));
    await instance[Symbol.asyncDispose]();
    expect(await newHypervisor().findInstances()).toEqual([]);
  });

  test("the listener of a socket is found, by whatever path", async () => {
    const other = join(runDir, "other.sock");
    await symlink(monitor.path, other);
    expect(await listenerOf(monitor.path)).toBe(process.pid);
    expect(await listenerOf(other)).toBe(process.pid);
    expect(await listensOn(process.pid, other)).toBe(true);
    expect(await listensOn(process.pid, join(runDir, "none"))).toBe(false);
    await expect(listenerOf(join(runDir, "none"))).rejects.toMatchObject({
      code: "SOJ_MONITOR_UNREACHABLE",
    });
  });
});

test("ss's lines of listening unix sockets are read, with spaces in their paths", () => {
  const text = `u_str LISTEN 0      1      /run/a b.sock 20990069 * 0 <-> ino:23 dev:0/71 peers:
u_seq LISTEN 0      1                    byhand.qmp 2 * 0 <-> ino:27 dev:254/1 peers:
u_str LISTEN 0      4096            @/tmp/.X11-unix/X0 3 * 0 peers:
nonsense`;
  expect(listeningSockets(text)).toEqual([
    { inode: 20_990_069, path: "/run/a b.sock", file: "0:71:23" },
    { inode: 2, path: "byhand.qmp", file: "254:1:27" },
  ]);
});
