import type { FlowTuple, TrackedFlow } from "../routing/flows/tracked-flow.ts";

/** What of a flow tells that something was sent. */
export type WatchedFlow = Pick<
  TrackedFlow,
  "id" | "state" | "expiresS" | "replied" | "original" | "reply"
>;

/** Expiry is told in whole seconds, and a list of many flows takes a while to be read. */
const toleranceMs = 1_500;

interface Seen {
  activeMs: number;
  /** State and counters. */
  marks: string;
  /** When the kernel would have forgotten it, as told at its last activity; null where it does not tell. */
  expiresMs: number | null;
}

/**
 * How long flows have been idle, as observed: a flow is active when its counters or its state have changed since the
 * last look, or the kernel has put off forgetting it. Time-outs differ from flow to flow, so that what is left of one
 * tells nothing by itself. Who watches anew begins anew: nothing is idle at the first look.
 */
export class FlowWatch {
  #seen = new Map<string, Seen>();

  /**
   * Takes a look: all flows of a guest, at `nowMs` on a clock that nobody sets (milliseconds). Returns how long each has
   * been idle, in milliseconds, by its id. Flows that are not among these are forgotten.
   */
  note(flows: readonly WatchedFlow[], nowMs: number): ReadonlyMap<string, number> {
    const seen = new Map<string, Seen>();
    const idleMs = new Map<string, number>();
    for (const flow of flows) {
      const now = sight(flow, nowMs);
      const before = this.#seen.get(flow.id);
      const known = before === undefined || isActive(before, now) ? now : before;
      seen.set(flow.id, known);
      idleMs.set(flow.id, Math.max(0, nowMs - known.activeMs));
    }
    this.#seen = seen;
    return idleMs;
  }
}

function sight(flow: WatchedFlow, nowMs: number): Seen {
  const { state, replied, original, reply, expiresS } = flow;
  // Ids are the kernel's, and given again; ends tell another flow from the one before.
  const marks = `${state} ${replied} ${traffic(original)} ${traffic(reply)}`;
  return { activeMs: nowMs, marks, expiresMs: expiresS === null ? null : nowMs + expiresS * 1000 };
}

function traffic({ source, sourcePort, destination, destinationPort, ...counted }: FlowTuple) {
  const ends = `${source}:${sourcePort} ${destination}:${destinationPort}`;
  return `${ends} ${counted.packets} ${counted.bytes}`;
}

function isActive(before: Seen, now: Seen): boolean {
  if (before.marks !== now.marks) return true;
  // Carried past the kernel's tracking (a flowtable), which it comes back to soon after its last packet.
  if (now.expiresMs === null) return true;
  if (before.expiresMs === null) return false;
  return now.expiresMs > before.expiresMs + toleranceMs;
}
