import { preconditionError } from "../platform/errors.ts";
import type { TunnelSpec } from "../tunnels/tunnel.ts";
import type { AwayRecord } from "./open-redirect.ts";
import type { Drain, GuestRecord } from "./records.ts";

type Redirect = NonNullable<GuestRecord["redirect"]>;
type Next = NonNullable<Redirect["next"]>;

/** The highest fencing epoch that home knows of. Pure. */
export function epochAtHome({ epoch, redirect }: AwayRecord): number {
  return Math.max(epoch, redirect.next?.epoch ?? 0);
}

/** Home's record once a move from `redirect.host` to another host is prepared; one prepared before is forgotten. Pure. */
export function withNext(record: AwayRecord, next: Next): GuestRecord {
  return { ...record, redirect: { ...record.redirect, next } };
}

/**
 * Home's record once the guest runs at `host` under `epoch`. A drain that the move before began ends: the address that the
 * guest had there is gone. Pure.
 * @param there.drain that begins: the guest has an address of that host's.
 * @throws SojournError `SOJ_STALE_EPOCH` from a host where the guest was before.
 */
export function repointed(
  record: AwayRecord,
  there: {
    host: string;
    epoch: number;
    tunnel: TunnelSpec;
    drain?: Drain | undefined;
    sinceMs?: number;
  },
): GuestRecord {
  const { redirect } = record;
  const { host, epoch, tunnel, drain, sinceMs } = there;
  if (redirect.host === host) {
    if (epoch < record.epoch) throw stale(record, host, epoch);
    const { next, ...rest } = redirect;
    const isOver = next === undefined || next.epoch <= epoch;
    return { ...record, epoch, redirect: isOver ? rest : redirect };
  }
  if (epoch <= record.epoch) throw stale(record, host, epoch);
  const { next } = redirect;
  const previous = {
    host: redirect.host,
    tunnel: redirect.tunnel,
    migration: next?.host === host && next.epoch === epoch ? next.migration : "",
  };
  const since = sinceMs === undefined ? {} : { sinceMs };
  const followed = { host, tunnel, previous, ...since, ...(drain && { drain }) };
  return { ...record, epoch, redirect: followed };
}

/** Home's record once the migration is over, with its guest at either host; null when nothing changes. Pure. */
export function released(record: AwayRecord, migration: string): GuestRecord | null {
  const { next, previous, ...rest } = record.redirect;
  if (next?.migration !== migration && previous?.migration !== migration) return null;
  const others = {
    ...(next === undefined || next.migration === migration ? {} : { next }),
    ...(previous === undefined || previous.migration === migration ? {} : { previous }),
  };
  return { ...record, redirect: { ...rest, ...others } };
}

function stale({ guest, epoch: known, redirect }: AwayRecord, host: string, epoch: number) {
  return preconditionError(
    "SOJ_STALE_EPOCH",
    `${guest} is at ${redirect.host} under epoch ${known}; ${host} speaks of epoch ${epoch}`,
    { httpStatus: 409 },
  );
}
