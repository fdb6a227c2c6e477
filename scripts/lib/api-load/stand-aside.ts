import { constants, setPriority } from "node:os";
import { lowerSession } from "../../../src/platform/group-process.ts";

/**
 * The lowest priority for this process and its session: callers stand for other machines, whose work takes nothing from
 * the hosts. What it costs to serve them remains.
 */
export function standAside(): void {
  setPriority(constants.priority.PRIORITY_LOW);
  lowerSession(process.pid, constants.priority.PRIORITY_LOW);
}
