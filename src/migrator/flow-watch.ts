import type { FlowTuple, TrackedFlow } from "../routing/flows/tracked-flow.ts";

/** What of a flow tells that something was sent. */
export type WatchedFlow = Pick<
  TrackedFlow,
  "id" | "state" | "expiresS" | "replied" | "original" | "reply"
>;

/** Expiry is told in whole seconds, and a list of many flows takes a while to be read. */
const toleranceMs = 1_500;

/** How far the kernel's ticks and our clock may run apart, as a part of the time that passed. */
const drift = 0.001;

interface Seen {
  activeMs: number;
  /** As it was at its last activity. */
  flow: WatchedFlow;
  /** When the kernel would have forgotten it, as told at its last activity; null where it does not tell. */
  expiresMs: number | null;
}

/** One look at all flows of a guest. */
export interface FlowLook {
  /** Returns how long `flow` has been idle, in milliseconds. */
  note(flow: WatchedFlow): number;
  /** All have been noted: others are forgotten. */
  end(): void;
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
    const look = this.look(nowMs);
    const idleMs = new Map<string, number>();
    for (const flow of flows) {
      const flowMs = look.note(flow);
      idleMs.set(flow.id, Math.min(flowMs, idleMs.get(flow.id) ?? flowMs));
    }
    look.end();
    return idleMs;
  }

  /** The same for so many flows that they are noted in several turns of the event loop; one look at a time. */
  look(nowMs: number): FlowLook {
    const before = this.#seen;
    const seen = new Map<string, Seen>();
    return {
      note(flow) {
        const key = keyOf(flow);
        const known = follow(before.get(key), sight(flow, nowMs));
        seen.set(key, known);
        return Math.max(0, nowMs - known.activeMs);
      },
      end: () => {
        this.#seen = seen;
      },
    };
  }
}

/** Ids are the kernel's: given again, and of some ten thousand flows two may have the same at a time. */
function keyOf({ id, original: { source, sourcePort, destinationPort } }: WatchedFlow): string {
  return `${id} ${source} ${sourcePort} ${destinationPort}`;
}

function sight(flow: WatchedFlow, nowMs: number): Seen {
  const { expiresS } = flow;
  return { activeMs: nowMs, flow, expiresMs: expiresS === null ? null : nowMs + expiresS * 1000 };
}

function follow(before: Seen | undefined, now: Seen): Seen {
  return before === undefined || isActive(before, now) ? now : before;
}

function isSame(before: WatchedFlow, now: WatchedFlow): boolean {
  return (
    before.state === now.state &&
    before.replied === now.replied &&
    isSameTuple(before.original, now.original) &&
    isSameTuple(before.reply, now.reply)
  );
}

function isSameTuple(before: FlowTuple, now: FlowTuple): boolean {
  return (
    before.packets === now.packets &&
    before.bytes === now.bytes &&
    before.sourcePort === now.sourcePort &&
    before.destinationPort === now.destinationPort &&
    before.source === now.source &&
    before.destination === now.destination
  );
}

function isActive(before: Seen, now: Seen): boolean {
  if (!isSame(before.flow, now.flow)) return true;
  // Carried past the kernel's tracking (a flowtable), which it comes back to soon after its last packet.
  if (now.expiresMs === null) return true;
  if (before.expiresMs === null) return false;
  const blurMs = toleranceMs + drift * (now.activeMs - before.activeMs);
  return now.expiresMs > before.expiresMs + blurMs;
}
