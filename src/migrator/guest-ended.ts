import { ExitCode, preconditionError, SojournError } from "../platform/errors.ts";
import type { PeerCaller } from "../platform/procedures.ts";
import { persistently } from "../platform/retry.ts";
import type { HostContext } from "./host-context.ts";
import type { migrationProcedures } from "./procedures.ts";
import type { GuestRecord } from "./records.ts";

type EndCaller = PeerCaller<Pick<typeof migrationProcedures, "guest-ended">>;

/**
 * What home does when a host says that a guest has ended there: it sends no traffic there any more.
 * @throws SojournError (retryable) while that cannot be done, or is not known before a migration's end: the other
 * host is to ask again.
 */
export async function noteGuestEnded(
  {
    homes,
    records,
    network,
    logger,
  }: Pick<HostContext, "homes" | "records" | "network" | "logger">,
  guest: string,
  peer: string,
): Promise<void> {
  const record = await settledRecord(network, records, guest);
  if (record?.migration?.peer === peer) {
    const { id } = record.migration;
    throw preconditionError("SOJ_GUEST_BUSY", `${guest} is being migrated (${id})`, {
      retryable: true,
    });
  }
  const isThere = (one: GuestRecord | undefined) =>
    one !== undefined &&
    isLastAt(one, peer) &&
    one.hosting === null &&
    one.migration === record?.migration;
  if (!isThere(record)) return;
  const { redirect } = record ?? {};
  // Only on its way there, as far as this host knows: it may never have come.
  if (redirect?.next?.host === peer && redirect.host !== peer) {
    await refuseRunning(homes, guest, redirect.host, redirect.next.migration);
  }
  const what = `forgetting ${guest}, which has ended`;
  // Without a record the kernel may still have to follow: the last try has failed there.
  const isMeant = (current: GuestRecord | undefined) => current === undefined || isThere(current);
  const forget = () => network.forget(guest, isMeant);
  if (await persistently(what, logger, forget)) return;
  throw new SojournError("SOJ_NOT_FORGOTTEN", `${guest} is not forgotten yet`, {
    retryable: true,
    httpStatus: 503,
  });
}

/**
 * Tells the guest's home that it has ended here. Home believes the host where it knows the guest: one that has not heard yet
 * that the guest had come is told that first.
 * @throws SojournError of a home that does not answer, or is to be told again (`isWorthRepeating`).
 */
export async function tellHomeOfEnd(
  { homes, peer }: Pick<HostContext, "homes"> & { peer(host: string): EndCaller },
  { guest, home, hosting }: GuestRecord,
): Promise<void> {
  try {
    await homes.told(guest);
  } catch (error) {
    // A home that will never follow knows of no stay here.
    if (!(error instanceof SojournError) || isWorthRepeating(error.cause)) throw error;
  }
  for (const anchor of [home, hosting?.handover?.home]) {
    if (anchor) await peer(anchor.host).call("guest-ended", { guest });
  }
}

/** Also of a guest that has come there, and ended, before this host was told that it had come. */
function isLastAt({ redirect, departed }: GuestRecord, peer: string): boolean {
  return [redirect?.host, redirect?.next?.host, departed?.host].includes(peer);
}

/** What a source's process says, if there is one, once all of the guest has gone to another host. */
const goneStates = ["none", "postmigrate"];

async function refuseRunning(
  homes: HostContext["homes"],
  guest: string,
  host: string,
  migration: string,
): Promise<void> {
  const { run_state } = await homes.peer(host).call("migration-facts", { id: migration, guest });
  if (goneStates.includes(run_state)) return;
  throw preconditionError("SOJ_GUEST_BUSY", `${guest} may still run at ${host} (${migration})`, {
    retryable: true,
    httpStatus: 409,
  });
}

/** While the network is being changed a record says already what the kernel may refuse. */
async function settledRecord(
  network: Pick<HostContext["network"], "hold">,
  records: Pick<HostContext["records"], "get">,
  guest: string,
) {
  using _held = await network.hold();
  return records.get(guest);
}

/** True when home, told of a guest's end, may say something else later. */
export function isWorthRepeating(error: unknown): boolean {
  if (!(error instanceof SojournError)) return true;
  return error.retryable || error.exitCode !== ExitCode.precondition;
}
