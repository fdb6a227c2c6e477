import { writeFileSync } from "node:fs";
import { constants, setPriority } from "node:os";

/**
 * The lowest priority for this process and its session (sched(7), "The autogroup feature"): callers stand for other
 * machines, whose work takes nothing from the hosts. What it costs to serve them remains.
 */
export function standAside(): void {
  setPriority(constants.priority.PRIORITY_LOW);
  try {
    writeFileSync("/proc/self/autogroup", `${constants.priority.PRIORITY_LOW}`);
  } catch {
    // This kernel does not group.
  }
}
