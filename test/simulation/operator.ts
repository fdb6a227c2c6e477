import type { Keep } from "../../src/migrator/resolution-verdict.ts";
import type { HostName } from "./schedule.ts";
import { runningProcess } from "./world/daemon-process.ts";
import type { ToldMigration } from "./world/words.ts";
import type { World } from "./world/world.ts";

/**
 * What an operator does about migrations that are told to be in doubt: looks where the guest can be had, switches the other
 * host off where it might run the guest too, and decides. True when the guest is lost by that.
 */
export async function decideDoubts(world: World, keep: Keep): Promise<boolean> {
  let isLost = false;
  for (const doubted of doubtsOf(world)) {
    const known = possible(world, doubted, keep);
    if (known !== null && !(await decide(world, doubted, known))) isLost = true;
  }
  return isLost;
}

function doubtsOf(world: World): ToldMigration[] {
  return [...world.hosts.values()].flatMap(
    ({ daemon }) =>
      daemon?.migrations.list({ limit: 100 }).filter(({ state }) => state === "in-doubt") ?? [],
  );
}

/** Where it can be kept, the wish first; null where that is nowhere. */
function possible({ copies }: World, { from, to }: ToldMigration, wish: Keep): Keep | null {
  const runsThere = copies.running().some(({ host }) => host === to);
  const atSource = copies.on(from).filter(({ runState }) => runState !== "inmigrate");
  const isAtSource = atSource.some(({ stream }) => !stream?.following);
  if (wish === "destination" && runsThere) return "destination";
  if (isAtSource) return "source";
  return runsThere ? "destination" : null;
}

/** False when what was switched off for it may have been the guest. */
async function decide(world: World, { id, from, to }: ToldMigration, keep: Keep): Promise<boolean> {
  const { daemon } = world.host(from as HostName);
  if (daemon === null) return true;
  world.paths.end();
  if (keep === "source") switchOff(world, to as HostName, from);
  const isSplit = world.copies.on(to).some(({ stream }) => stream?.isSplit);
  world.trace?.(`an operator keeps the guest of ${id} at the ${keep}`);
  try {
    await runningProcess.run(daemon.process, () => daemon.resolutions.decide(id, keep));
    return !isSplit;
  } catch (error) {
    world.trace?.(`${error}`);
    return keep !== "source";
  }
}

function switchOff(world: World, name: HostName, kept: string): void {
  const host = world.host(name);
  world.trace?.(`${name} is switched off`);
  host.kill();
  host.disk.losePower(world.random.stream(`power of ${name}`));
  host.kernel.clear();
  for (const copy of world.copies.on(name)) copy.end("switched off");
  for (const copy of world.copies.on(kept)) world.copies.fallBackTo(copy);
}
