import { type GatePoint, gatePoints } from "../../src/migrator/gates.ts";
import { chained } from "./chained.ts";
import type { DiskFailure, WriteSide } from "./world/memory-disk.ts";
import { Random } from "./world/random.ts";

export type HostName = "host-a" | "host-b" | "host-c";
export type LinkKind = "control" | "data";

/**
 * Of a stream that goes to its end by itself: its guest is stopped, the destination's libvirt has loaded it, the source's
 * has heard of that.
 */
export const instants = ["stopped", "loaded", "arrived"] as const;

/** The same of post-copy: the guest is handed over, its destination can run it, the last page has left. */
export const postCopyInstants = ["handed-over", "runnable", "last-page"] as const;

export type Instant = (typeof instants)[number] | (typeof postCopyInstants)[number];

/**
 * When a fault happens: at a time (ms after the migration was asked for), `delayMs` after a gate was first asked or a stream has come so far for the first time, or around the nth durable write that a host
 * makes from then on; without a delay, in the middle of the code that writes.
 */
export type Moment =
  | { atMs: number }
  | { gate: GatePoint; delayMs: number }
  | { instant: Instant; delayMs: number }
  | { host: HostName; write: number; side: WriteSide; delayMs: number };

export type Happening =
  | { kind: "kill-daemon"; host: HostName; backAfterMs: number }
  | { kind: "stop-daemon"; host: HostName; backAfterMs: number }
  /** Unsynced bytes, the kernel's state and the hypervisor processes are gone. */
  | { kind: "lose-power"; host: HostName; backAfterMs: number }
  | { kind: "stall-daemon"; host: HostName; forMs: number }
  /** Of what these hosts send; of what they send each other alone where they are said to be a `pair`. */
  | { kind: "cut"; links: LinkKind[]; from: HostName[]; pair?: boolean; forMs: number }
  | { kind: "reset-stream"; ends: ("source" | "destination")[] }
  | { kind: "kill-qemu"; host: HostName }
  | { kind: "freeze-qemu"; host: HostName; forMs: number }
  /** Where guests are libvirt's domains. */
  | { kind: "restart-libvirtd"; host: HostName; backAfterMs: number }
  | { kind: "network-fails"; host: HostName; operations: number }
  | { kind: "disk-fails"; host: HostName; how: DiskFailure; forMs: number }
  | { kind: "cancel" }
  /** An operator decides about what is in doubt, as far as it can be had there; the other host may be switched off for it. */
  | { kind: "resolve"; keep: "source" | "destination" }
  | { kind: "migrate"; to: HostName };

export type Fault = Happening & { when: Moment };

/** What a gate does when it is asked; `down`: nobody is there, `garbage`: what it says is not understood. */
export type GateWord = "allow" | "deny" | "silent" | "garbage" | "down" | { delayMs: number };

/** Asked from the disturbed migration on, until everything is healed. */
export interface ScheduledGate {
  points: GatePoint[];
  /** One a turn, the last one for ever. */
  words: GateWord[];
  answersAfterMs: number;
  deadlineMs: number;
  onNoAnswer: "allow" | "deny";
}

/** All that is decided about one run before it begins; what else is drawn follows from its seed. */
export interface Schedule {
  seed: number;
  hosts: HostName[];
  /** Undisturbed moves beforehand: the disturbed one is the guest's way home, or not its first. */
  before: number;
  /** Where the guest is moved instead, one host after the other; the last of these moves is the disturbed one. */
  way?: HostName[];
  faults: Fault[];
  /** Absent without. */
  gates?: ScheduledGate[];
  /** How many sessions the guest has, which hosts track, and how often what they do with them fails; absent without. */
  flows?: { sessions: number; failures: number };
  /** Shares of messages that take long, and that arrive a second time. */
  slowness: number;
  duplicates: number;
  /** QEMU waits for the stop of the guest (`heldUntilStopped`). */
  held: boolean;
  /** Guests are libvirt's domains, whose streams go to their end by themselves; absent where they are not. */
  seals?: boolean;
  /** The guest may go by post-copy, and dirties more than the link takes; absent where it does neither. */
  postCopy?: boolean;
  /** The guest's user has paused it. */
  paused: boolean;
  /** Both daemons are restarted once everything is healed. */
  restarts: boolean;
  /** Migrations, one after the other, once everything is healed: each has to complete. */
  afterwards: HostName[];
}

/** A migration without any fault is over after about 250 ms. */
const faultsWithinMs = 450;

const streamEnds = ["source", "destination"] as const;

/** Durable writes of a host in one migration, and some of a recovery. */
const writes = 14;

export function scheduleOf(seed: number): Schedule {
  const random = new Random(seed);
  const hosts: HostName[] = random.chance(0.25)
    ? ["host-a", "host-b", "host-c"]
    : ["host-a", "host-b"];
  const count = random.pick([0, 1, 1, 1, 2, 2, 2, 3, 3, 4]);
  const drawn = Array.from({ length: count }, () => faultOf(random, hosts));
  const paused = random.chance(0.04);
  const gates = gatesOf(random.stream("gates"));
  const sealing = random.stream("sealing");
  const seals = sealing.chance(0.3);
  if (seals && sealing.chance(0.3)) drawn.push(restartOf(sealing));
  if (seals && sealing.chance(0.4)) drawn.push(atSwitchover(sealing));
  const following = random.stream("post-copy");
  const postCopy = !seals && following.chance(0.4);
  const around = postCopy ? following.pick([0, 1, 1, 1, 2, 2, 3]) : 0;
  // Others may keep it from coming so far.
  if (around > 0 && following.chance(0.7)) drawn.length = 0;
  for (let made = 0; made < around; made += 1) drawn.push(whilePagesFollow(following));
  const tracked = random.stream("flows");
  const faults = inGates(drawn, gates, random.stream("faults in gates"));
  const schedule: Schedule = {
    seed,
    hosts,
    before: random.pick([0, 0, 0, 0, 0, 0, 1, 1, 2]),
    faults,
    ...(gates.length === 0 ? {} : { gates }),
    ...(tracked.chance(0.4) ? { flows: flowsOf(tracked) } : {}),
    slowness: random.pick([0, 0, 0.02, 0.2]),
    duplicates: random.pick([0, 0, 0.05, 0.3]),
    held: random.chance(0.85),
    ...(seals ? { seals } : {}),
    ...(postCopy ? { postCopy } : {}),
    paused,
    restarts: random.chance(0.6),
    afterwards: !paused && random.chance(0.25) ? [random.pick(hosts)] : [],
  };
  const chains = random.stream("chains");
  return chains.chance(0.25) ? chained(schedule, chains) : schedule;
}

/** Seldom more than go into one message. */
function flowsOf(random: Random): NonNullable<Schedule["flows"]> {
  const sessions = random.chance(0.02) ? 700 : random.pick([0, 1, 3]);
  return { sessions, failures: random.pick([0, 0, 0.1, 0.5]) };
}

/** In one of five schedules. */
function gatesOf(random: Random): ScheduledGate[] {
  if (!random.chance(0.2)) return [];
  return Array.from({ length: random.pick([1, 1, 1, 2]) }, () => ({
    points: gatePoints.filter(() => random.chance(0.5)),
    words: Array.from({ length: random.pick([1, 1, 2, 3]) }, () => wordOf(random)),
    answersAfterMs: round(random.between(0, random.pick([1, 50, 300]))),
    deadlineMs: round(random.pick([200, 1_000, 5_000, 40_000])),
    onNoAnswer: random.pick(["allow", "deny"] as const),
  })).filter(({ points }) => points.length > 0);
}

function wordOf(random: Random): GateWord {
  const word = random.pick(["allow", "allow", "allow", "allow", "deny", "silent", "odd", "delay"]);
  if (word === "odd") return random.pick(["garbage", "down"] as const);
  if (word !== "delay") return word as GateWord;
  return { delayMs: round(random.pick([0, 100, 2_000, 35_000])) };
}

/** Most schedules with gates have their first fault while a gate is asked. */
function inGates(
  faults: readonly Fault[],
  gates: readonly ScheduledGate[],
  random: Random,
): Fault[] {
  const points = gates.flatMap((gate) => gate.points);
  return faults.map((fault, index) => {
    if (index > 0 || points.length === 0 || random.chance(0.4)) return fault;
    const delayMs = random.chance(0.3)
      ? 0
      : round(random.between(0, random.pick([20, 400, 3_000])));
    return { ...fault, when: { gate: random.pick(points), delayMs } };
  });
}

function faultOf(random: Random, hosts: readonly HostName[]): Fault {
  return { ...happeningOf(random, hosts), when: momentOf(random) };
}

function atSwitchover(random: Random): Fault {
  const pair: readonly HostName[] = ["host-a", "host-b"];
  const fault = random.chance(0.3) ? restartOf(random) : happeningOf(random, pair);
  const delayMs = random.chance(0.3) ? 0 : round(random.between(0, random.pick([2, 8, 30])));
  return { ...fault, when: { instant: random.pick(instants), delayMs } };
}

/** Around the moment in which the guest is in two processes. */
function whilePagesFollow(random: Random): Fault {
  const pair: readonly HostName[] = ["host-a", "host-b"];
  const fault = random.chance(0.4) ? brokenStream(random) : happeningOf(random, pair);
  const delayMs = random.chance(0.3) ? 0 : round(random.between(0, random.pick([2, 20, 100])));
  return { ...fault, when: { instant: random.pick(postCopyInstants), delayMs } };
}

/** What a new connection mends. */
function brokenStream(random: Random): Happening {
  if (random.chance(0.5)) return { kind: "reset-stream", ends: [random.pick(streamEnds)] };
  const links: LinkKind[] = random.chance(0.5) ? ["data"] : ["control", "data"];
  const forMs = round(random.between(1_000, 20_000));
  return { kind: "cut", links, from: ["host-a", "host-b"], forMs };
}

function restartOf(random: Random): Fault {
  const host = random.pick(["host-a", "host-b"] as const);
  return {
    kind: "restart-libvirtd",
    ...{ host, backAfterMs: pause(random), when: momentOf(random) },
  };
}

function momentOf(random: Random): Moment {
  if (random.chance(0.35)) return { atMs: round(random.between(0, faultsWithinMs)) };
  return {
    host: random.chance(0.6) ? "host-a" : "host-b",
    write: random.below(random.chance(0.7) ? writes / 2 : writes),
    side: random.pick(["before", "before", "written", "after", "after"] as const),
    delayMs: random.chance(0.5) ? 0 : round(random.between(0, 12)),
  };
}

function happeningOf(random: Random, hosts: readonly HostName[]): Happening {
  const pair: readonly HostName[] = ["host-a", "host-b"];
  const host = random.pick(random.chance(0.05) ? hosts : pair);
  const kind = random.below(24) - 2;
  if (kind < 6) return { kind: "kill-daemon", host, backAfterMs: pause(random) };
  if (kind < 7) return { kind: "stop-daemon", host, backAfterMs: pause(random) };
  if (kind < 9) return { kind: "lose-power", host, backAfterMs: pause(random) };
  if (kind < 14) {
    const links: LinkKind[] = random.pick([["control"], ["data"], ["control", "data"]]);
    const from: HostName[] = random.pick([["host-a"], ["host-b"], ["host-a", "host-b"]]);
    return { kind: "cut", links, from, forMs: pause(random) };
  }
  if (kind < 15) {
    const ends = random.pick([["source"], ["destination"], ["source", "destination"]] as const);
    return { kind: "reset-stream", ends: [...ends] };
  }
  if (kind < 16) return { kind: "kill-qemu", host };
  if (kind < 17) return { kind: "freeze-qemu", host, forMs: pause(random) };
  if (kind < 18) return { kind: "stall-daemon", host, forMs: pause(random) };
  if (kind < 19) return { kind: "network-fails", host, operations: 1 + random.below(2) };
  if (kind < 20) {
    const how = random.pick(["full", "read-only", "slow"] as const);
    return { kind: "disk-fails", host, how, forMs: pause(random) };
  }
  if (kind < 21) return { kind: "migrate", to: random.pick(hosts) };
  return { kind: "cancel" };
}

/** Within one step, within a deadline, or beyond all of them. */
function pause(random: Random): number {
  const [low, high] = random.pick([
    [1, 50] as const,
    [50, 2_000] as const,
    [2_000, 45_000] as const,
  ]);
  return round(random.between(low, high));
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
