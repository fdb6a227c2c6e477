import { expect, test, vi } from "vitest";
import type { GuestInstance } from "../../../src/hypervisor/hypervisor.ts";
import { hasAllMemory, listenAgain } from "../../../src/migrator/arrival-post-copy.ts";

const address = "172.16.2.2";
const never = new Promise<never>(() => {});

/** A process that receives a guest: what its monitor says in band, and out of band. */
function processOf(options: {
  status: string | null;
  isAlive?: boolean;
  listens?: boolean;
}): GuestInstance {
  const { status, isAlive = true, listens = true } = options;
  return {
    guest: "web1",
    isAlive: () => isAlive,
    migrationProgress: vi.fn(() => (status === null ? never : Promise.resolve({ status }))),
    pausePostCopy: async () => {},
    listenForRecovery: async () => {
      if (listens) return { port: 49_999 };
      throw new Error("Migrate recover can only be run when postcopy is paused.");
    },
  } as unknown as GuestInstance;
}

test("a process that waits for pages takes them on a new port, also when its main loop does not answer", async () => {
  const listening = { state: "listening", address, port: 49_999 };
  const paused = processOf({ status: "postcopy-paused" });
  expect(await listenAgain(paused, address)).toEqual(listening);
  const hanging = processOf({ status: null });
  expect(await listenAgain(hanging, address)).toEqual(listening);
});

test("one that has everything, or has ended, says so", async () => {
  expect(await listenAgain(processOf({ status: "completed" }), address)).toEqual({
    state: "whole",
  });
  const gone = processOf({ status: null, isAlive: false });
  expect(await listenAgain(gone, address)).toEqual({ state: "gone" });
});

test("when nothing more comes, a process is ended only if it is known to lack memory", async () => {
  expect(await hasAllMemory(processOf({ status: "completed" }), address)).toBe(true);
  expect(await hasAllMemory(processOf({ status: "postcopy-paused" }), address)).toBe(false);
  expect(await hasAllMemory(processOf({ status: null }), address)).toBe(false);
  const silent = processOf({ status: null, listens: false });
  await expect(hasAllMemory(silent, address)).rejects.toThrow(/postcopy is paused/);
});

test("a process that does not answer is not asked again and again", async () => {
  const hanging = processOf({ status: null });
  await hasAllMemory(hanging, address);
  await listenAgain(hanging, address);
  expect(hanging.migrationProgress).toHaveBeenCalledTimes(1);
});
