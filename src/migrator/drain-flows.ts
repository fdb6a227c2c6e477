import type { TrackedFlow } from "../routing/flows/tracked-flow.ts";
import { isTrackedBarrier } from "./barrier-address.ts";
import { isOver, needsItsWay } from "./flow-needs.ts";

/** What home's connection tracking says of a redirect's flows. */
export interface RedirectFlows {
  /** They keep the redirect. */
  needing: TrackedFlow[];
  /** Sessions that are not over, but have sent nothing for too long to keep it. */
  idle: TrackedFlow[];
  /** Those that have ended, or were reset. */
  over: TrackedFlow[];
}

/**
 * Tells the flows of a guest's old address that keep its redirect from others. Pure.
 * @param idleMs by the flows' ids (`FlowWatch`).
 */
export function redirectFlows(
  flows: readonly TrackedFlow[],
  idleMs: ReadonlyMap<string, number>,
  idleTimeoutS: number,
): RedirectFlows {
  const sessions = sessionsOf(flows);
  const isIdle = ({ id }: TrackedFlow) => (idleMs.get(id) ?? 0) >= idleTimeoutS * 1000;
  return {
    needing: sessions.filter((flow) => !isIdle(flow)),
    idle: sessions.filter(isIdle),
    over: flows.filter(isOver),
  };
}

/** Those that are sessions. Pure. */
export function sessionsOf(flows: readonly TrackedFlow[]): TrackedFlow[] {
  return flows.filter(isSession);
}

/** Not over, answered where answers are to be expected, and none of our own probes. Pure. */
export function isSession(flow: TrackedFlow): boolean {
  return needsItsWay(flow) && !isTrackedBarrier(flow);
}
