import type { TrackedFlow } from "../routing/flows/tracked-flow.ts";

/** Of TCP: both ends have said that they are done, or one has reset it (RFC 9293). */
const overStates: ReadonlySet<string | null> = new Set(["TIME_WAIT", "CLOSE", "NONE"]);

/**
 * Whether a flow needs the way that it takes. Those of TCP do not that are over and only remembered, nor those that nobody
 * has answered: a scan of the address is no session, nor is what one end alone still takes for one. Pure.
 */
export function needsItsWay({ state, replied }: Pick<TrackedFlow, "state" | "replied">): boolean {
  return !isOver({ state }) && (state === null || replied);
}

/** Whether a session has ended, or was reset, and is only remembered. Pure. */
export function isOver({ state }: Pick<TrackedFlow, "state">): boolean {
  return overStates.has(state);
}
