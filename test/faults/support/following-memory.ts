import { expect } from "vitest";
import { FaultLab, hosts } from "./fault-lab.ts";
import type { FollowedMigration } from "./followed-migration.ts";

/** A guest that writes and checks memory faster than its stream goes. */
const guestOptions = "sojourn.memcheck=24 sojourn.dirty_mbps=400";
const policy = "max_bandwidth_mbps = 50\ndowntime_limit_ms = 30\npost_copy = true";

/** A lab whose guest moves by post-copy, and takes seconds for the rest of its memory. */
export async function postCopyLab(name: string): Promise<FaultLab> {
  const fault = await FaultLab.up(name, ["--guest-append", guestOptions]);
  try {
    for (const host of hosts) await fault.setMigrationPolicy(host, policy);
    await fault.openSession(30_000);
    await fault.remember();
  } catch (error) {
    await fault[Symbol.asyncDispose]();
    throw error;
  }
  return fault;
}

/** Resolves with the migration's id once the guest runs at its destination and memory follows it. */
export async function following(migration: FollowedMigration): Promise<string> {
  const event = await migration.event(
    (line) => line.type === "progress" && Boolean(line.post_copy),
  );
  return event.type === "progress" ? event.id : "";
}

/** All that the guest has ever written is there. */
export async function expectWhole(fault: FaultLab): Promise<void> {
  const address = "http://10.1.0.10/memcheck";
  const told = await fault.run("client", ["busybox", "wget", "-qO-", address]);
  expect(JSON.parse(told)).toMatchObject({ corruptions: 0, mib: 24 });
}
