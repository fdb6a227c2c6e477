import { inTurns } from "../platform/in-turns.ts";
import type { FlowTuple, TrackedFlow } from "../routing/flows/tracked-flow.ts";

/** Expiry is told in whole seconds, and a list of many flows takes a while to be read. */
const toleranceMs = 3_000;

/**
 * Sessions that the kernel has forgotten before their time: somebody has emptied its table (`conntrack -F`). When it is
 * full the kernel itself makes room, but of what it is assured of it drops nothing: the rest is not remembered here, or a
 * flood of datagrams from nowhere would have no end. They
 * may go on all the same, and an idle one shows itself only when it is used again. Of TCP that ends, or is reset, the
 * kernel remembers the end, so that those are none.
 */
export class VanishedFlows {
  /** When the kernel was to forget each that was there at the last look, by its ends. */
  #expiresMs = new Map<string, number>();
  readonly #vanishedMs = new Map<string, number>();

  /**
   * Takes a look at all `sessions` of a guest that are not over, at `nowMs` on a clock that nobody sets.
   * @param others flows of which the kernel knows what has become: they have ended, or are idle.
   * @returns how many have vanished less than `idleTimeoutS` ago and were not seen since.
   */
  async note(
    sessions: readonly TrackedFlow[],
    others: readonly TrackedFlow[],
    nowMs: number,
    idleTimeoutS: number,
  ): Promise<number> {
    const before = this.#expiresMs;
    const now = new Map<string, number>();
    const known = new Set<string>();
    await inTurns(sessions, (flow) => {
      const key = keyOf(flow);
      known.add(key);
      if (flow.assured) now.set(key, nowMs + (flow.expiresS ?? 0) * 1000);
    });
    await inTurns(others, (flow) => known.add(keyOf(flow)));
    this.#expiresMs = now;
    const isKnown = (key: string) => known.has(key);
    for (const [key, expiresMs] of before) {
      if (!isKnown(key) && expiresMs > nowMs + toleranceMs) this.#vanishedMs.set(key, nowMs);
    }
    for (const [key, sinceMs] of this.#vanishedMs) {
      if (isKnown(key) || nowMs - sinceMs >= idleTimeoutS * 1000) this.#vanishedMs.delete(key);
    }
    return this.#vanishedMs.size;
  }
}

/** Whoever sends first after the table was emptied is taken for who began it, so the order of its ends tells nothing. */
function keyOf({ protocol, original }: TrackedFlow): string {
  const ends = [endOf(original, "source"), endOf(original, "destination")];
  return `${protocol} ${ends.sort().join(" ")} ${original.icmp?.id ?? ""}`;
}

function endOf(tuple: FlowTuple, which: "source" | "destination"): string {
  return `${tuple[which]}:${tuple[`${which}Port`]}`;
}
