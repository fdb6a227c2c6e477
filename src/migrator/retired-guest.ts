import { preconditionError } from "../platform/errors.ts";
import { redirectMark } from "../routing/desired.ts";
import type { FlowTable } from "../routing/flows/flow-table.ts";
import type { TrackedFlow } from "../routing/flows/tracked-flow.ts";
import type { DrainContext } from "./drain-context.ts";
import type { HostContext } from "./host-context.ts";
import { guestNetworkOf, type HostFacts } from "./network.ts";
import { addressOf } from "./open-redirect.ts";
import type { GuestRecord } from "./records.ts";
import { beingMigrated } from "./retiring.ts";

type Context = Pick<HostContext, "host" | "records" | "network" | "journal" | "logger"> & {
  flows: Pick<FlowTable, "read" | "forget">;
} & Pick<DrainContext, "isLeaving">;

interface Request {
  guest: string;
  /** Null only asks. */
  epoch: number | null;
  reason: string;
}

interface Answer {
  state: "redirected" | "retired" | "unknown";
  epoch: number;
  forgotten: number;
}

/**
 * What the guest's host does when its home retires the redirect: the way home goes, and what the kernel remembers of
 * flows that took it. The guest's address of this host, if it has one, stays. Safe to call again.
 * @throws SojournError `SOJ_PEER_NOT_CONCERNED` for any peer but its home, `SOJ_GUEST_BUSY` (retryable) during a migration,
 *   `SOJ_STALE_EPOCH` for a call that was meant for an earlier stay, `SOJ_JOURNAL_DAMAGED`.
 */
export async function retireGuestHere(
  context: Context,
  { guest, epoch, reason }: Request,
  peer: string,
): Promise<Answer> {
  const { host, journal, logger, network, records } = context;
  journal.refuseHeld(guest);
  let record: GuestRecord | undefined;
  {
    using _held = await network.hold();
    record = records.get(guest);
    // One whose process has ended is not forgotten before home knows of it.
    if (!record?.hosting || record.home.host === host.name) {
      return { state: "unknown", epoch: record?.epoch ?? 0, forgotten: 0 };
    }
    refuse(record, epoch, peer);
    if (context.isLeaving(guest)) throw beingMigrated(guest, undefined);
    const state = record.hosting.retired === true ? "retired" : "redirected";
    if (epoch === null) return { state, epoch: record.epoch, forgotten: 0 };
    if (state === "redirected") {
      const hosting = { ...record.hosting, homeTunnel: null, retired: true };
      await network.changeWhileHeld({ ...record, hosting });
      logger.info({ guest, home: peer, reason }, "the way through the guest's home is retired");
    }
  }
  return { state: "retired", epoch: record.epoch, forgotten: await forget(context, record) };
}

function refuse(record: GuestRecord, epoch: number | null, peer: string): void {
  const { guest, home, migration, outgoing } = record;
  if (home.host !== peer) {
    const message = `${peer} is not ${guest}'s home, which is ${home.host}`;
    throw preconditionError("SOJ_PEER_NOT_CONCERNED", message, { httpStatus: 403 });
  }
  if (migration !== null || outgoing !== null) throw beingMigrated(guest, migration?.id);
  if (epoch !== null && epoch !== record.epoch) {
    const message = `${guest} is here under epoch ${record.epoch}, not ${epoch}`;
    throw preconditionError("SOJ_STALE_EPOCH", message);
  }
}

/** What is not forgotten now leads nowhere, and the kernel forgets it in time. */
async function forget(context: Context, record: GuestRecord): Promise<number> {
  const { flows, host, logger } = context;
  try {
    const found = await flows.read(addressOf(record));
    return await flows.forget(found.filter((flow) => passedHome(host, record, flow)));
  } catch (error) {
    logger.warn({ guest: record.guest, err: error }, "flows that passed home are not forgotten");
    return 0;
  }
}

/** Of a renumbered guest its mark tells; of another all did but those with this host's own guests. */
function passedHome(
  host: HostFacts,
  { hosting }: GuestRecord,
  { mark, original, reply }: TrackedFlow,
): boolean {
  if (hosting?.renumbered !== undefined) return (mark & redirectMark) !== 0;
  return ![original, reply].some(({ source }) => guestNetworkOf(host, source) !== undefined);
}
