import { expect, test } from "vitest";
import {
  isWorthRepeating,
  noteGuestEnded,
  tellHomeOfEnd,
} from "../../../src/migrator/guest-ended.ts";
import type { HostContext } from "../../../src/migrator/host-context.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { preconditionError, SojournError } from "../../../src/platform/errors.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { aToB, recordOf } from "./support.ts";

const away: GuestRecord = {
  ...recordOf("web1", 10),
  hosting: null,
  redirect: { host: "host-b", tunnel: aToB },
};

async function forgottenBy(
  record: GuestRecord | undefined,
  peer: string,
  atSource = "running",
): Promise<string[]> {
  const forgotten: string[] = [];
  const network = {
    hold: async () => ({ [Symbol.dispose]: () => {} }),
    forget: async (guest: string) => void forgotten.push(guest),
  };
  const homes = { peer: () => ({ call: async () => ({ run_state: atSource }) }) };
  const logger = createLogger("silent");
  const context = { homes, records: { get: () => record }, network, logger };
  await noteGuestEnded(context as unknown as HostContext, "web1", peer);
  return forgotten;
}

test("home forgets a guest that has ended where it was", async () => {
  expect(await forgottenBy(away, "host-b")).toEqual(["web1"]);
});

test("another host's word, and that about a guest that is at home, change nothing", async () => {
  expect(await forgottenBy(away, "host-c")).toEqual([]);
  expect(await forgottenBy(recordOf("web1", 10), "host-b")).toEqual([]);
  expect(await forgottenBy(undefined, "host-b")).toEqual([]);
});

test("a host that it may never have reached is believed only once it runs no more where it was", async () => {
  const next = { host: "host-c", tunnel: aToB, migration: "m2", epoch: 2 };
  const moving: GuestRecord = { ...away, redirect: { host: "host-b", tunnel: aToB, next } };
  for (const state of ["running", "paused", "unknown"]) {
    await expect(forgottenBy(moving, "host-c", state)).rejects.toMatchObject({
      code: "SOJ_GUEST_BUSY",
      retryable: true,
    });
  }
  expect(await forgottenBy(moving, "host-c", "postmigrate")).toEqual(["web1"]);
  expect(await forgottenBy(moving, "host-b")).toEqual(["web1"]);
});

test("while the guest's migration is not over, the other host is to ask again", async () => {
  const migration = { id: "m1", epoch: 1, role: "source", peer: "host-b", resume: true } as const;
  await expect(forgottenBy({ ...away, migration }, "host-b")).rejects.toMatchObject({
    code: "SOJ_GUEST_BUSY",
    retryable: true,
  });
});

test("only a refusal that will not change is not worth repeating", () => {
  expect(isWorthRepeating(new Error("EIO"))).toBe(true);
  expect(isWorthRepeating(new SojournError("SOJ_INTERNAL", "disk full"))).toBe(true);
  expect(isWorthRepeating(preconditionError("SOJ_GUEST_BUSY", "x", { retryable: true }))).toBe(
    true,
  );
  expect(isWorthRepeating(preconditionError("SOJ_HOST_UNKNOWN", "x"))).toBe(false);
});

test("home hears that the guest had come before it hears of its end, unless it will never follow", async () => {
  const said: string[] = [];
  const telling = async (failure: Error | null) => {
    said.length = 0;
    const told = async () => {
      said.push("here");
      const untold = { retryable: true, cause: failure };
      if (failure !== null) throw new SojournError("SOJ_HOME_UNTOLD", "not told", untold);
    };
    const call = async () => void said.push("ended");
    const context = { homes: { told }, peer: () => ({ call }) };
    await tellHomeOfEnd(context as never, recordOf("web1", 10));
  };
  await telling(null);
  expect(said).toEqual(["here", "ended"]);
  await telling(preconditionError("SOJ_NOT_HOME", "it redirects nothing of web1"));
  expect(said).toEqual(["here", "ended"]);
  const silent = new SojournError("SOJ_PEER_UNREACHABLE", "no answer", { retryable: true });
  await expect(telling(silent)).rejects.toMatchObject({ code: "SOJ_HOME_UNTOLD" });
  expect(said).toEqual(["here"]);
});
