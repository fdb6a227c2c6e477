import { isBarrierFlow } from "../../src/migrator/barrier-address.ts";
import { decodeJournal } from "../../src/migrator/journal-format.ts";
import {
  type JournalRecord,
  type JournalStep,
  unfinishedMigrations,
} from "../../src/migrator/journal-record.ts";
import { guestNetworkOf } from "../../src/migrator/network.ts";
import { isFollowing } from "../../src/migrator/post-copy-status.ts";
import type { MigrationSummary } from "../../src/migrator/stored-migration.ts";
import type { HostName, Schedule } from "./schedule.ts";
import type { World } from "./world/world.ts";

/** What is wrong once everything is healed and quiet; nothing when all is as it must be. */
export function violationsOf(world: World, schedule: Schedule, guestKilled: boolean): string[] {
  return [
    ...world.copies.violations,
    ...world.words.violations,
    ...world.gates.violations,
    ...world.paths.violations,
    ...passedDenials(world),
    ...world.bootFailures,
    ...wrongJournals(world, schedule),
    ...unsaidEnds(world),
    ...wrongCopies(world, schedule, guestKilled),
    ...wrongWords(world, guestKilled),
    ...wrongNetworks(world),
    ...wrongEpochs(world),
    ...wrongFlows(world, schedule),
  ];
}

/** A guest that stands for good, before anything was healed, while every daemon runs and none says why. */
export function standsUnsaid(world: World, schedule: Schedule, guestKilled: boolean): string[] {
  if (schedule.paused || guestKilled || world.copies.running().length > 0) return [];
  const hosts = [...world.hosts.values()];
  const { nowMs } = world.clock;
  const isWatched = hosts.every(
    ({ daemon }) => (daemon?.process.stalledUntilMs ?? nowMs + 1) <= nowMs,
  );
  const isFrozen = world.copies.all.some(({ frozen }) => frozen);
  const goesOn = toldEnds(world).some(({ endedMs }) => endedMs === null);
  if (!isWatched || isFrozen || goesOn || isInDoubt(world)) return [];
  return ["the guest stands, and nobody says so"];
}

/** True when the last migration has been declared to be in doubt. */
export function isInDoubt(world: World): boolean {
  return toldEnds(world).some(({ state }) => state === "in-doubt");
}

/**
 * How each migration ended at last, and `in-doubt`, or `denied`, for each that ever was; `post-copy` for each that went so,
 * and `recovered` where it needed another connection.
 */
export function outcomesOf(world: World): string[] {
  const last = toldEnds(world).map(({ state }) => state);
  const doubted = [...world.words.doubted].map(() => "in-doubt");
  const denied = [...world.gates.denied].map(() => "denied");
  const followed = [...world.words.followed].map(() => "post-copy");
  const recovered = [...world.words.recovered].map(() => "recovered");
  const ends = last.filter((state) => state !== "in-doubt");
  return [...ends, ...doubted, ...denied, ...followed, ...recovered];
}

/** What the daemons that run now say of migrations. */
function toldEnds(world: World): MigrationSummary[] {
  return [...world.hosts.values()].flatMap(
    ({ daemon }) => daemon?.migrations.list({ limit: 100 }) ?? [],
  );
}

function passedDenials(world: World): string[] {
  return [...world.gates.denied]
    .filter((id) => world.words.migrations.get(id)?.state === "completed")
    .map((id) => `${id} was denied, and is completed`);
}

function unsaidEnds(world: World): string[] {
  return toldEnds(world)
    .filter(({ endedMs }) => endedMs === null)
    .map(({ id, state }) => `${id} has no end: ${state}`);
}

function wrongCopies(world: World, schedule: Schedule, guestKilled: boolean): string[] {
  const alive = world.copies.all.filter((copy) => copy.alive);
  const wanted = schedule.paused ? ["paused", "postmigrate"] : ["running"];
  const wrong: string[] = [];
  if (!alive.some(({ runState }) => wanted.includes(runState)) && !guestKilled) {
    wrong.push("the guest is nowhere");
  }
  for (const { name, runState, monitor, protectedBy, status } of alive) {
    if (isFollowing(status)) wrong.push(`${name} has not all of its memory: ${status}`);
    if (protectedBy !== null) wrong.push(`${name} stays protected from changes`);
    if (!wanted.includes(runState)) wrong.push(`${name} is left over: ${runState}`);
    if (monitor === null) wrong.push(`nobody watches ${name}`);
  }
  if (alive.length > 1) wrong.push(`${alive.length} processes are left`);
  return wrong;
}

function wrongWords(world: World, guestKilled: boolean): string[] {
  const ends = toldEnds(world).toSorted((one, other) => one.startedMs - other.startedMs);
  const place = world.copies.all.find(({ alive }) => alive)?.host ?? null;
  const last = ends.at(-1);
  const wrong = ends
    .filter(({ state }) => state === "in-doubt")
    .map(({ id }) => `${id} stays in doubt although everything is healed`);
  for (const { id, state } of ends) {
    if (state === "guest-lost" && !guestKilled)
      wrong.push(`${id} is guest-lost, but nobody killed it`);
  }
  if (last === undefined) return wrong;
  const { id, state, from, to } = last;
  if (state === "guest-lost" && place !== null) {
    wrong.push(`${id} is guest-lost, but the guest is on ${place}`);
  } else if (place !== null && place !== (state === "completed" ? to : from)) {
    wrong.push(`${id} is ${state}, but the guest is on ${place}`);
  }
  return wrong;
}

function wrongNetworks(world: World): string[] {
  const place = world.copies.all.find(({ alive }) => alive)?.host ?? null;
  return [...world.hosts].flatMap(([name, { kernel, facts }]) => {
    const record = world.recordOf(name);
    const records = record === null ? [] : [record];
    return [...wrongRecord(world, name, place), ...kernel.differencesFrom(facts, records)];
  });
}

/** Home goes on tracking what passes it; hosts that the guest has left, or never came to, only what passes them by itself. */
function wrongFlows(world: World, schedule: Schedule): string[] {
  const place = world.copies.all.find(({ alive }) => alive)?.host ?? null;
  return [...world.hosts].flatMap(([name, { kernel, facts }]) => {
    const { flows } = kernel;
    // Of barriers they expire within a minute.
    const peers = [...flows.entries.values()]
      .map(({ original }) => original.source)
      .filter((peer) => !isBarrierFlow({ protocol: 1, peer }));
    const near = peers.filter((peer) => guestNetworkOf(facts, peer) !== undefined);
    const far = peers.length - near.length;
    const wrong: string[] = [];
    if (name === "host-a" && far < (schedule.flows?.sessions ?? 0)) wrong.push("has cut sessions");
    if (name !== "host-a" && name !== place && far > 0) wrong.push(`still tracks ${far} flows`);
    if (name === "host-b" && schedule.flows && near.length === 0) wrong.push("has cut its own");
    return flows.hasFailed ? [] : wrong.map((what) => `${name} ${what}`);
  });
}

function wrongRecord(world: World, name: HostName, place: string | null): string[] {
  const record = world.recordOf(name);
  const isKnown = place === name || (place !== null && name === "host-a");
  if (record === null) return isKnown ? [`${name} has no record of the guest`] : [];
  const { hosting, outgoing, migration, redirect } = record;
  const facts = JSON.stringify({ hosting, outgoing, migration, redirect });
  if (place === null) return [`${name} still has a record of a guest that is nowhere: ${facts}`];
  const runs = hosting?.stage === "running" && hosting.homeUntold === undefined;
  const here = runs && hosting.sourceTunnel === null && redirect === null;
  const leads = redirect?.host === place && !redirect.next && !redirect.previous;
  const away = name === "host-a" && hosting === null && leads;
  const settled = outgoing === null && migration === null;
  if (settled && (place === name ? here : away)) return [];
  return [`${name}'s record is wrong for a guest on ${place}: ${facts}`];
}

/** Home's word of a guest that is away is older than that of the host where it is only when a move away from there has failed. */
function wrongEpochs(world: World): string[] {
  const place = world.copies.all.find(({ alive }) => alive)?.host as HostName | undefined;
  const loss = world.paths.loss();
  const wrong = loss === null ? [] : [`in the end ${loss}`];
  if (place === undefined) return wrong;
  const { disk } = world.host(place);
  const { records } = decodeJournal(disk.read("/state/journal") ?? Buffer.alloc(0));
  const there = Math.max(world.recordOf(place)?.epoch ?? 0, ...records.map(({ epoch }) => epoch));
  const home = world.recordOf("host-a")?.epoch ?? 0;
  return home > there ? [`home knows epoch ${home}, ${place} ${there}`, ...wrong] : wrong;
}

/** What came to nothing before anything was prepared needs none; a destination's end is in its record first. */
const endless: readonly JournalStep[] = ["begin", "prepared", "takeover"];

function openEnds(name: string, records: JournalRecord[]): string[] {
  return unfinishedMigrations(records)
    .filter(({ step }) => !endless.includes(step))
    .map(({ migration, step }) => `${name}'s journal has no end of ${migration}: ${step}`);
}

function wrongJournals(world: World, { faults }: Schedule): string[] {
  const hasRoom = faults.every(({ kind }) => kind !== "disk-fails");
  return [...world.hosts].flatMap(([name, { disk }]) => {
    const { records, damage } = decodeJournal(disk.read("/state/journal") ?? Buffer.alloc(0));
    const wrong = damage.map(({ reason }) => `${name}'s journal: ${reason}`);
    if (hasRoom) wrong.push(...openEnds(name, records));
    const seen = new Map<string, JournalStep[]>();
    for (const { migration, step, role } of records) {
      const steps = seen.get(`${role} ${migration}`) ?? [];
      seen.set(`${role} ${migration}`, steps);
      const isDecision = step === "takeover" || step === "prepared";
      if (isDecision && steps.includes("abort")) {
        wrong.push(`${name}: ${step} of ${migration} after its abort`);
      }
      if (step === "abort" && steps.includes("takeover")) {
        wrong.push(`${name}: abort of ${migration} after its takeover`);
      }
      steps.push(step);
    }
    return wrong;
  });
}
