import type { z } from "zod";
import type { PlanLine } from "../platform/plan-line.ts";
import type { HostContext } from "./host-context.ts";
import type { migrationProcedures } from "./procedures.ts";
import type { GuestRecord } from "./records.ts";

/** What a source sends about the guest that is to arrive. */
export type Preparation = z.output<(typeof migrationProcedures)["prepare"]["request"]>;

/** The record of a guest that is about to arrive. */
export function incomingRecord(
  context: Pick<HostContext, "host" | "records">,
  request: Preparation,
  peer: string,
): GuestRecord {
  const { host, records } = context;
  const known = records.get(request.guest);
  const atHome = request.home.host === host.name;
  const tunnelTo = (remoteAddress: string) => ({
    kind: request.tunnel_kind,
    localAddress: host.underlayAddress,
    remoteAddress,
  });
  return {
    guest: request.guest,
    definition: request.definition,
    epoch: request.epoch,
    home: request.home,
    hosting: {
      stage: "barrier",
      tableIndex: freeTableIndex(records.all(), request.guest),
      homeTunnel: atHome ? null : tunnelTo(request.home.underlayAddress),
      sourceTunnel: tunnelTo(request.source_underlay_address),
    },
    redirect: known?.redirect ?? null,
    ...(known?.departed === undefined ? {} : { departed: known.departed }),
    outgoing: null,
    migration: {
      id: request.id,
      epoch: request.epoch,
      role: "destination",
      peer,
      resume: request.resume,
      ...(request.followed === true ? { followed: true } : {}),
      ...(known === undefined ? {} : absenceOf(known)),
    },
  };
}

/** How a guest that comes home has been away, where that is more than a redirect. */
function absenceOf({ redirect, departed }: GuestRecord) {
  return {
    ...(redirect?.drain === undefined ? {} : { drain: redirect.drain }),
    ...(departed === undefined ? {} : { departed }),
  };
}

/** The record of a guest that arrives, once it has an address of this host's. */
export function renumberedRecord(record: GuestRecord, address: string): GuestRecord {
  if (record.hosting === null) throw new Error(`${record.guest} does not arrive here`);
  return { ...record, hosting: { ...record.hosting, renumbered: address } };
}

/**
 * What an arrival would do to this host until its guest runs, as lines a person can read; changes nothing.
 * @throws SojournError for what is in the way, also of what follows the takeover.
 */
export async function planArrival(
  context: Pick<HostContext, "host" | "records" | "network">,
  request: Preparation,
  peer: string,
  renumbered?: string,
): Promise<PlanLine[]> {
  const plain = incomingRecord(context, request, peer);
  const record = renumbered === undefined ? plain : renumberedRecord(plain, renumbered);
  const lines = await context.network.plan(record);
  await context.network.plan(landedRecord(record));
  return lines;
}

/** What becomes of it once the guest runs here. */
export function landedRecord(
  record: GuestRecord,
): GuestRecord & { hosting: NonNullable<GuestRecord["hosting"]> } {
  if (record.hosting === null) throw new Error(`${record.guest} does not run here`);
  const { departed: _returned, ...rest } = record;
  const { homeTunnel, sourceTunnel } = record.hosting;
  // A source that is home has changed its route itself.
  const isUntold =
    homeTunnel !== null &&
    sourceTunnel !== null &&
    homeTunnel.remoteAddress !== sourceTunnel.remoteAddress;
  const hosting = { ...record.hosting, stage: "landed" as const };
  return {
    ...{ ...rest, redirect: null },
    hosting:
      isUntold && record.hosting.stage !== "landed" ? { ...hosting, homeUntold: true } : hosting,
  };
}

/** Takes back what was prepared for a guest that does not arrive: the network is as `before`. */
export async function restoreRecord(
  { network, records }: Pick<HostContext, "network" | "records">,
  { id, guest, epoch }: { id: string; guest: string; epoch: number },
  before: GuestRecord | undefined,
): Promise<void> {
  using _held = await network.hold();
  const current = records.get(guest);
  // One that could not even begin may be given up when the next one has: that one's record stays.
  if (current !== undefined && current.migration?.id !== id) return;
  if (before === undefined) await network.forgetWhileHeld(guest);
  else await network.changeWhileHeld({ ...before, epoch });
}

/** The lowest number of a source-routing table that no other guest has. Pure. */
export function freeTableIndex(records: readonly GuestRecord[], guest: string): number {
  const used = new Set(
    records.filter((record) => record.guest !== guest).map((record) => record.hosting?.tableIndex),
  );
  let index = 0;
  while (used.has(index)) index += 1;
  return index;
}
