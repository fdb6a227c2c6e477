import { expect, test } from "vitest";
import { isWorthRepeating, noteGuestEnded } from "../../../src/migrator/guest-ended.ts";
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

async function forgottenBy(record: GuestRecord | undefined, peer: string): Promise<string[]> {
  const forgotten: string[] = [];
  const network = {
    hold: async () => ({ [Symbol.dispose]: () => {} }),
    forget: async (guest: string) => void forgotten.push(guest),
  };
  const context = { records: { get: () => record }, network, logger: createLogger("silent") };
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
