import type { Fault, HostName, Moment, Schedule } from "./schedule.ts";
import type { Random } from "./world/random.ts";

const hosts: HostName[] = ["host-a", "host-b", "host-c"];

/** From home, `host-a`, on. The last move of most is one between two other hosts. */
const ways: readonly HostName[][] = [
  ...Array.from({ length: 5 }, (): HostName[] => ["host-b", "host-c"]),
  ["host-b", "host-c", "host-a"],
  ["host-b", "host-c", "host-b"],
  ["host-c", "host-b"],
  ["host-b", "host-c", "host-b", "host-c"],
  ["host-b", "host-c", "host-a", "host-b"],
];

/** A move is over later where home is a third host. */
const faultsWithinMs = 1_500;

/** Durable writes of a home that is a third host. */
const writesAtHome = 6;

/** The same schedule for a guest that moves among three hosts, each of which may have its faults. */
export function chained(schedule: Schedule, random: Random): Schedule {
  const way = random.pick(ways);
  const faults = schedule.faults.map((fault) => elsewhere(fault, way, random));
  if (random.chance(0.08)) faults.push(...doubt(way, random));
  const afterwards = schedule.paused ? [] : later(random);
  return { ...schedule, hosts, before: 0, way, faults, afterwards };
}

function later(random: Random): HostName[] {
  if (!random.chance(0.35)) return [];
  return Array.from({ length: random.pick([1, 1, 2, 3]) }, () => random.pick(hosts));
}

function elsewhere(fault: Fault, way: HostName[], random: Random): Fault {
  const cast = castOf(way);
  const anyone = () => random.pick([...cast, cast[2]]);
  const when = momentOf(fault.when, cast, random);
  if (fault.kind === "cut" && random.chance(0.6)) {
    const apart = random.pick(hosts);
    const from = hosts.filter((host) => host !== apart);
    return { ...fault, from, pair: true, when };
  }
  if (fault.kind === "cut") return { ...fault, from: [anyone()], when };
  if (fault.kind === "migrate") return { ...fault, to: random.pick(hosts), when };
  if ("host" in fault && fault.host !== undefined) return { ...fault, host: anyone(), when };
  return { ...fault, when };
}

function momentOf(when: Moment, cast: readonly HostName[], random: Random): Moment {
  if ("atMs" in when && random.chance(0.5)) {
    return { atMs: Math.round(random.between(0, faultsWithinMs)) };
  }
  if (!("write" in when)) return when;
  const host = random.pick(cast);
  return { ...when, host, write: host === cast[2] ? when.write % writesAtHome : when.write };
}

/** What leaves the guest in doubt, and the operator who decides about it. */
function doubt(way: HostName[], random: Random): Fault[] {
  const [source, destination] = castOf(way);
  const when = { host: source, write: 2 + random.below(6), side: "after", delayMs: 0 } as const;
  const silence: Fault = random.chance(0.5)
    ? { kind: "kill-daemon", host: destination, backAfterMs: 55_000, when }
    : {
        ...{ kind: "cut", links: random.pick([["control"], ["control", "data"]]) },
        ...{ from: [source, destination], pair: random.chance(0.7), forMs: 55_000, when },
      };
  const keep = random.pick(["source", "destination"] as const);
  const atMs = Math.round(random.between(16_000, 50_000));
  return [silence, { kind: "resolve", keep, when: { atMs } }];
}

/** Source and destination of the last move, and the third host. */
function castOf(way: readonly HostName[]): [HostName, HostName, HostName] {
  const [source = "host-a", destination = "host-b"] = ["host-a" as HostName, ...way].slice(-2);
  const third = hosts.find((host) => host !== source && host !== destination) ?? "host-a";
  return [source, destination, third];
}
