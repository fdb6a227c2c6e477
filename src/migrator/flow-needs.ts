import type { TrackedFlow } from "../routing/flows/tracked-flow.ts";

/** Of TCP: both ends have said that they are done, or one has reset it (RFC 9293). */
const over: ReadonlySet<string | null> = new Set(["TIME_WAIT", "CLOSE", "NONE"]);

/**
 * Whether a flow needs the way that it takes. Those of TCP do not that are over and only remembered, nor those that nobody
 * has answered: a scan of the address is no session. Pure.
 */
export function needsItsWay({ state, replied }: Pick<TrackedFlow, "state" | "replied">): boolean {
  return !over.has(state) && (state !== "SYN_SENT" || replied);
}
