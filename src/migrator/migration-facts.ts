import { delay } from "../platform/clock.ts";
import { hasCode, preconditionError } from "../platform/errors.ts";
import type { HostContext } from "./host-context.ts";
import { mayGoBack } from "./post-copy-status.ts";
import type { HostMigrationFacts } from "./procedures.ts";

/** A monitor that does not answer within this time leaves the run state unknown. */
const patienceMs = 1_000;

/** What this host knows of a migration: its journal's lines, and what its QEMU says. Changes nothing. */
export async function migrationFacts(
  context: Pick<HostContext, "guests" | "journal">,
  { id, guest }: { id: string; guest: string },
): Promise<HostMigrationFacts> {
  const lines = context.journal.recordsOf(id).slice(-100);
  return {
    run_state: await runStateOf(context, guest),
    held: context.journal.isHeld(guest),
    ...((await hasHandedOver(context, { id, guest })) ? { handed_over: true } : {}),
    journal: lines.map(({ at, role, step, epoch }) => ({ at, role, step, epoch })),
  };
}

async function hasHandedOver(
  { guests, journal }: Pick<HostContext, "guests" | "journal">,
  { id, guest }: { id: string; guest: string },
): Promise<boolean> {
  const instance = guests.instance(guest);
  const isPromised = journal.has(id, "post-copy") && journal.has(id, "promise");
  if (!isPromised || !instance?.isAlive()) return false;
  const silent = delay(patienceMs).then(() => true);
  const asked = instance.migrationProgress().then(
    ({ status }) => !mayGoBack(status),
    () => true,
  );
  return await Promise.race([asked, silent]);
}

/** QEMU's word, `none` without a process, `unknown` when it does not say. */
export async function runStateOf(
  { guests }: Pick<HostContext, "guests">,
  guest: string,
): Promise<string> {
  const instance = guests.instance(guest);
  if (!instance?.isAlive()) return "none";
  const silent = delay(patienceMs).then(() => "unknown");
  return await Promise.race([instance.runState().catch(() => "unknown"), silent]);
}

/** @throws SojournError `SOJ_GUEST_NOT_HERE` unless the whole guest is in a process here. */
export async function refuseNotLoaded(
  { guests }: Pick<HostContext, "guests">,
  guest: string,
): Promise<void> {
  const instance = guests.instance(guest);
  const progress = instance?.isAlive() ? await instance.migrationProgress() : null;
  if (progress?.status === "completed" || (await instance?.runState()) === "running") return;
  throw preconditionError("SOJ_GUEST_NOT_HERE", `${guest} has not arrived here: it cannot run`);
}

/** QEMU's word, or `gone` for a guest whose process has ended. @throws SojournError of a monitor that is silent. */
export async function runStateOrGone(
  { guests }: Pick<HostContext, "guests">,
  guest: string,
): Promise<string> {
  const instance = guests.instance(guest);
  if (!instance?.isAlive()) return "gone";
  return await instance.runState().catch((error: unknown) => {
    const isGone = hasCode(error, "SOJ_HYPERVISOR_GONE");
    if (instance.isAlive() && !isGone) throw error;
    return "gone";
  });
}
