import { uptime } from "node:os";
import type { GuestInstance, RunState } from "../hypervisor/hypervisor.ts";
import { departedFrom } from "../migrator/departed.ts";
import type { Guests } from "../migrator/guests.ts";
import type { Journal } from "../migrator/journal.ts";
import type { Migrations } from "../migrator/migrations.ts";
import type { RecordStore } from "../migrator/record-store.ts";
import type { GuestRecord } from "../migrator/records.ts";
import { wallClockMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import { identifyProcess } from "../platform/process-identity.ts";
import type { GuestSummary } from "./services.ts";

export interface GuestSources {
  hostName: string;
  guests: Guests;
  records: RecordStore;
  migrations: Migrations;
  journal: Pick<Journal, "isHeld" | "has">;
}

/** What this host knows of each of its guests; of one whose definition is wrong, what is wrong with it. */
export async function guestSummaries(sources: GuestSources): Promise<GuestSummary[]> {
  const all = sources.guests.names().map((name) => summaryOrFault(sources, name));
  return (await Promise.all(all)).filter((summary) => summary !== null);
}

/** What this host knows of a guest. @throws SojournError `SOJ_GUEST_UNKNOWN` (404), `SOJ_GUEST_DEFINITION_INVALID`. */
export async function guestSummary(sources: GuestSources, name: string): Promise<GuestSummary> {
  const { guests, records, hostName } = sources;
  const definition = guests.definition(name);
  const record = records.get(name);
  const instance = guests.instance(name);
  const runState = instance === undefined ? undefined : await sharedRunState(instance);
  const there = record?.hosting ? null : (record?.redirect ?? departedFrom(record));
  const left = instance === undefined ? whereItWent(sources, record) : null;
  const away = left ?? there?.host ?? null;
  const isHere = instance !== undefined && runState !== undefined;
  return {
    name,
    state: runState === "running" ? "running" : runState ? "paused" : away ? "away" : "stopped",
    host: away ?? (runState ? hostName : null),
    home: record?.home.host ?? guests.homeOf(definition) ?? "",
    addresses: definition.nics.flatMap((nic) => nic.addresses),
    ...wayOf(record, hostName),
    memory_mib: definition.memory_mib,
    vcpus: definition.vcpus,
    ...migrationOf(sources, name),
    since_ms: isHere ? startedMs(instance) : away ? arrivedMs(sources, record, away) : null,
    error: null,
  };
}

/** Where a migration has taken it whose end, such as home's answer, is still waited for here; null for any other. */
function whereItWent(
  { journal }: Pick<GuestSources, "journal">,
  record: GuestRecord | undefined,
): string | null {
  const { id, peer, role } = record?.migration ?? {};
  if (id === undefined || peer === undefined || role !== "source") return null;
  return journal.has(id, "taken-over-by-destination") ? peer : null;
}

/** By which address it is reached, and whether still through its home. Pure. */
function wayOf(
  record: GuestRecord | undefined,
  hostName: string,
): Pick<GuestSummary, "renumbered" | "redirect"> {
  const { hosting, redirect, departed } = record ?? {};
  if (hosting) {
    const isHere = hosting.stage === "landed" || hosting.stage === "running";
    if (!isHere || record?.home.host === hostName) return { renumbered: null, redirect: null };
    const { renumbered = null, retired = false } = hosting;
    const isDraining = renumbered !== null;
    return { renumbered, redirect: retired ? "retired" : isDraining ? "draining" : "kept" };
  }
  if (redirect) {
    const { drain, retiring } = redirect;
    const isGoing = drain !== undefined || retiring !== undefined;
    return { renumbered: drain?.renumbered ?? null, redirect: isGoing ? "draining" : "kept" };
  }
  return { renumbered: departed?.renumbered ?? null, redirect: departed ? "retired" : null };
}

/** A guest that had come from elsewhere leaves no definition here when it ends. */
export function goneSummary(name: string): GuestSummary {
  return {
    ...{ name, state: "stopped", host: null, home: "", addresses: [], memory_mib: 0, vcpus: 0 },
    ...wayOf(undefined, ""),
    ...{ migration: null, in_doubt: false, since_ms: null, error: null },
  };
}

/** Null when it has gone since it was listed. */
async function summaryOrFault(sources: GuestSources, name: string): Promise<GuestSummary | null> {
  try {
    return await guestSummary(sources, name);
  } catch (thrown) {
    if (!(thrown instanceof SojournError)) throw thrown;
    if (thrown.httpStatus === 404) return null;
    const { code, message, hint } = thrown;
    return {
      ...{ name, state: "invalid", host: null, home: sources.hostName, addresses: [] },
      ...wayOf(undefined, sources.hostName),
      ...{ memory_mib: 0, vcpus: 0, ...migrationOf(sources, name), since_ms: null },
      error: { code, message, hint },
    };
  }
}

const beingAsked = new WeakMap<GuestInstance, Promise<RunState | undefined>>();

/** However many want to know: the monitor, which a switchover needs too, is asked once at a time. */
function sharedRunState(instance: GuestInstance): Promise<RunState | undefined> {
  const known = beingAsked.get(instance);
  if (known !== undefined) return known;
  const asked = instance
    .runState()
    .catch(() => undefined)
    .finally(() => beingAsked.delete(instance));
  beingAsked.set(instance, asked);
  return asked;
}

function migrationOf({ migrations, records, journal }: GuestSources, name: string) {
  const { migration, redirect } = records.get(name) ?? {};
  const known = migrations.runningOf(name) ?? migration?.id;
  const id = known ?? redirect?.next?.migration ?? null;
  const isOpen = id !== null && !migrations.isRunning(id);
  const doubted = isOpen ? migrations.list({ limit: 100, guest: name, states: ["in-doubt"] }) : [];
  const isInDoubt = doubted.some((migration) => migration.id === id);
  return { migration: id, in_doubt: isInDoubt || journal.isHeld(name) };
}

const started = new WeakMap<GuestInstance, number>();
/** Of proc_pid_stat(5), the same on every Linux that Node runs on. */
const tickMs = 10;

/** Milliseconds since 1970 at which its process was started: at a destination, when its arrival was prepared. */
function startedMs(instance: GuestInstance): number | null {
  const known = started.get(instance);
  if (known !== undefined) return known;
  const identity = identifyProcess(instance.pid);
  if (identity === null) return null;
  const ageMs = uptime() * 1000 - identity.startTicks * tickMs;
  const sinceMs = Math.round(wallClockMs() - ageMs);
  started.set(instance, sinceMs);
  return sinceMs;
}

/** When it came to the host where it is now; null when that is long ago, or was not remembered. */
function arrivedMs(
  { migrations }: GuestSources,
  record: GuestRecord | undefined,
  host: string,
): number | null {
  if (record === undefined) return null;
  // Nobody need have asked here for a move between two other hosts.
  if (record.redirect?.sinceMs !== undefined) return Math.round(record.redirect.sinceMs);
  const query = { limit: 1, guest: record.guest, to: host, states: ["completed"] as const };
  const [moved] = migrations.list(query);
  return moved?.endedMs == null ? null : Math.round(moved.endedMs);
}
