import type { DomainFacts } from "../read-domain.ts";
import { deviceObstacles } from "./devices.ts";
import { machineObstacles } from "./machine.ts";
import { nicObstacles } from "./nics.ts";
import type { Obstacle } from "./obstacle.ts";
import { storageObstacles } from "./storage.ts";
import { surroundingObstacles } from "./surroundings.ts";

const order: readonly Obstacle["verdict"][] = ["refused", "depends", "noted"];

/**
 * What keeps a domain from moving, what it needs at the destination, and what is lost on the way, as far as its
 * description tells: the gravest first. Facts of the domain as it runs tell more than those of its definition: the bridge
 * that a network of libvirt's gave it, a disk that is being copied. Not judged: whether paths are there and disks are
 * shared, and what only QEMU and libvirt know (snapshots, migration blockers).
 */
export function obstaclesOf(facts: DomainFacts): Obstacle[] {
  return [
    ...surroundingObstacles(facts),
    ...machineObstacles(facts),
    ...nicObstacles(facts),
    ...storageObstacles(facts),
    ...deviceObstacles(facts),
  ].toSorted((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict));
}

/** The reasons against a move, in words; empty where nothing stands against it. */
export function refusalsOf(obstacles: readonly Obstacle[]): string[] {
  return obstacles
    .filter(({ verdict }) => verdict === "refused")
    .map(({ subject, reason }) => `${subject} ${reason}`);
}
