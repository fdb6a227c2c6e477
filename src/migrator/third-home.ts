import { delay, monotonicMs } from "../platform/clock.ts";
import { barrierAddressOf } from "./barrier-address.ts";
import type { GuestRecord } from "./records.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";

/** What is on its way from home when home is re-pointed has passed the source after this long, and round trips to home. */
const [lingerMs, lingerRoundTrips] = [250, 4];

/** One that is silent asks by itself whether the move is over. */
const releaseTimeoutMs = 5_000;

/**
 * The guest's home when it is neither the source, this host, nor the destination: source, destination and home then agree on
 * one migration and one fencing epoch. Null when it is one of them. Pure.
 */
export function thirdHome(here: string, { home }: Pick<GuestRecord, "home">, to: string) {
  return home.host === here || home.host === to ? null : home.host;
}

/** The same of a migration that leaves this host. Pure. */
export function thirdHomeOf(
  { host }: Pick<SourceContext, "host">,
  { to }: Pick<MigrationTask, "to">,
  { before }: Pick<MigrationFacts, "before">,
) {
  return thirdHome(host.name, before, to);
}

/** Where home's end of the readiness barrier asks from; another address than the source's. */
export function homeBarrierAddress({ id }: Pick<MigrationTask, "id">): string {
  return barrierAddressOf(`${id} home`);
}

/**
 * Home gets ready to send the guest's packets to the destination, before anybody else is asked anything.
 * @throws SojournError of a home that cannot be reached, or knows better; nothing is changed here.
 */
export async function prepareHome(
  context: SourceContext,
  task: MigrationTask,
  facts: Pick<MigrationFacts, "before">,
  signal: AbortSignal,
): Promise<void> {
  const home = thirdHomeOf(context, task, facts);
  if (home === null) return;
  const { renumber, to, tunnelKind: tunnel_kind } = task;
  const drain = renumber && { idle_timeout_s: renumber.idleTimeoutS, cap_s: renumber.capS };
  const request = { ...identityOf(task), to, tunnel_kind, ...(drain && { drain }) };
  await context.peer(home).call("prepare-repoint", request, { signal });
}

/** Home's own readiness barrier, through the tunnel that stays. The destination's end is open. */
export async function proveHome(
  context: SourceContext,
  task: MigrationTask,
  facts: Pick<MigrationFacts, "before">,
  signal: AbortSignal,
): Promise<void> {
  const home = thirdHomeOf(context, task, facts);
  if (home === null) return;
  const request = { ...identityOf(task), barrier_address: homeBarrierAddress(task) };
  await context.peer(home).call("probe-repoint", request, { signal });
}

/**
 * Returns when home sends the guest's packets to the destination, and those that it has sent here before have passed.
 * Asks the destination, which tells home. @throws SojournError (retryable) while home cannot be told.
 */
export async function awaitRepointing(
  context: Pick<SourceContext, "peer">,
  task: Pick<MigrationTask, "id" | "guest" | "epoch" | "to">,
  home: string,
): Promise<void> {
  await context.peer(task.to).call("await-repoint", identityOf(task), { timeoutMs: 12_000 });
  const askedMs = monotonicMs();
  await context.peer(home).call("clock", {}, { timeoutMs: 1_000 });
  await delay(lingerMs + lingerRoundTrips * (monotonicMs() - askedMs));
}

/** Tells home that the move is over; a home that does not answer finds out by itself. */
export async function releaseHome(
  context: Pick<SourceContext, "peer" | "logger">,
  task: Pick<MigrationTask, "id" | "guest" | "epoch">,
  home: string | null,
): Promise<void> {
  if (home === null) return;
  try {
    const options = { timeoutMs: releaseTimeoutMs };
    await context.peer(home).call("release-repoint", identityOf(task), options);
  } catch (error) {
    context.logger.warn(
      { migration: task.id, home, err: error },
      "home could not be told that the move is over; it will ask",
    );
  }
}

/** Nothing more comes of a move of this host's: what home has for it may go. False while nobody knows. */
export function isMoveOver(
  {
    isRunning,
    journal,
    records,
  }: Pick<SourceContext, "journal" | "records"> & { isRunning(id: string): boolean },
  { id, guest }: { id: string; guest: string },
): boolean {
  return !isRunning(id) && !journal.isHeld(guest) && records.get(guest)?.migration?.id !== id;
}

function identityOf({ id, guest, epoch }: Pick<MigrationTask, "id" | "guest" | "epoch">) {
  return { id, guest, epoch };
}
