import { replaceClock } from "../../src/platform/clock.ts";
import { Injection } from "./inject.ts";
import type { HostName, Schedule } from "./schedule.ts";
import { isInDoubt, outcomesOf, standsUnsaid, violationsOf } from "./verdict.ts";
import type { Mutation } from "./world/mutation.ts";
import { World } from "./world/world.ts";

export interface SimulationResult {
  seed: number;
  violations: string[];
  /** Kinds of the faults that happened. */
  faults: string[];
  events: number;
  /** How the migrations ended; those in doubt are counted also when that was resolved. */
  outcomes: string[];
  /** The longest time in which nobody ran the guest. */
  longestStandMs: number;
}

export interface SimulationOptions {
  trace?: (text: string) => void;
  mutation?: Mutation;
}

/** Time for daemons to start, and between undisturbed migrations. */
const beginMs = 60;

/** Faults and their direct consequences; then everything is healed. */
const troubledMs = 60_000;

/** Nothing may go on for longer than this once everything is healed. */
const quietWithinMs = 900_000;

/** Runs one schedule to its end: trouble, healing, quiet, the verdict. */
export async function simulate(
  schedule: Schedule,
  options: SimulationOptions = {},
): Promise<SimulationResult> {
  const { trace = null, mutation = {} } = options;
  const world = new World(schedule, mutation, trace);
  using _clock = replaceClock(world.clock);
  for (const host of world.hosts.values()) host.boot();
  const [last, ...before] = movesOf(schedule).toReversed();
  for (const wish of before.toReversed()) {
    await world.clock.run(world.clock.nowMs + beginMs);
    await completes(world, wish);
  }
  await world.clock.run(world.clock.nowMs + beginMs);
  world.disturb();
  const injection = new Injection(world, schedule.faults);
  void world.migrate(destinationOf(world, last ?? "host-b"));
  await world.clock.run(world.clock.nowMs + troubledMs);
  injection.stop();
  const unsaid = standsUnsaid(world, schedule, injection.guestKilled);
  await heal(world, schedule);
  const violations = [...unsaid, ...(await goOn(world, schedule))];
  const outcomes = outcomesOf(world);
  violations.unshift(...violationsOf(world, schedule, injection.guestKilled));
  for (const violation of violations) trace?.(`VIOLATION: ${violation}`);
  for (const host of world.hosts.values()) host.kill();
  return {
    seed: schedule.seed,
    violations,
    faults: injection.injected,
    events: world.clock.events,
    outcomes,
    longestStandMs: world.copies.longestStandMs,
  };
}

async function heal(world: World, schedule: Schedule): Promise<void> {
  world.trace?.("everything is healed");
  world.heal();
  for (const [name, host] of world.hosts) {
    if (!schedule.restarts && host.daemon !== null) continue;
    world.trace?.(`${name}'s daemon starts`);
    host.boot();
  }
}

/** Until it is quiet, with the migrations that follow; what is wrong about that. */
async function goOn(world: World, schedule: Schedule): Promise<string[]> {
  const wrong: string[] = [];
  for (const wish of schedule.afterwards) {
    const soonMs = world.random.stream("afterwards").between(0, 40_000);
    await world.clock.run(world.clock.nowMs + soonMs);
    if (await completes(world, wish)) continue;
    // Then the destination may still have waited for what had failed before.
    const isPossible = world.place !== null && !isInDoubt(world);
    if (isPossible && !(await completes(world, wish)) && schedule.held) {
      wrong.push("a migration does not complete although all is quiet");
    }
  }
  const quiet = await world.clock.run(world.clock.nowMs + quietWithinMs);
  return quiet ? wrong : ["it never comes to rest", ...wrong];
}

/** Asks for a migration and waits until it is quiet. */
async function completes(world: World, wish: HostName): Promise<boolean> {
  const id = await ask(world, wish);
  await world.clock.run(world.clock.nowMs + quietWithinMs);
  return id !== null && world.words.migrations.get(id)?.state === "completed";
}

async function ask(world: World, wish: HostName): Promise<string | null> {
  const asked = world.migrate(destinationOf(world, wish));
  const answer: { id: string | null } = { id: null };
  void asked.then((id) => {
    answer.id = id;
  });
  await world.clock.run(world.clock.nowMs + 1_000);
  return answer.id;
}

/** The disturbed one last. */
function movesOf({ before, way }: Schedule): HostName[] {
  return way ?? Array.from({ length: before + 1 }, () => "host-b" as const);
}

/** A guest that is where it is wished to be goes home, or away from there. */
function destinationOf({ place, isChained }: World, wish: HostName): HostName {
  if (isChained && wish !== place) return wish;
  if (place !== "host-a") return "host-a";
  return wish === "host-a" ? "host-b" : wish;
}
