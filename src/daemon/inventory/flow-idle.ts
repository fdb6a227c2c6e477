import { FlowWatch } from "../../migrator/flow-watch.ts";
import { startTimer, type Timer } from "../../platform/clock.ts";
import { inTurns } from "../../platform/in-turns.ts";
import { estimatedIdleS, type StateTimeouts } from "../../routing/flows/state-timeouts.ts";
import type { TrackedFlow } from "../../routing/flows/tracked-flow.ts";

/** How long after a guest's flows were last asked for what was seen of them is remembered. */
const forgottenAfterMs = 600_000;

/** What the lists of one guest's flows have seen of them. */
interface Known {
  watch: FlowWatch;
  /** By their ids, monotonic. */
  firstSeenMs: Map<string, number>;
  forgetting: Timer;
}

/** For how long nothing has come in the flows that are listed, as far as lists alone can tell. */
export class ListedIdleness {
  readonly #known = new Map<string, Known>();

  /**
   * Notes what `guest`'s flows are like now; once at a time. Returns their idle times in milliseconds, by their ids:
   * observed once something was seen to come since their first list; until then what the kernel's time-outs let one
   * estimate, or the time since that first list.
   * @param nowMs monotonic.
   */
  async note(
    guest: string,
    flows: readonly TrackedFlow[],
    timeouts: StateTimeouts,
    nowMs: number,
  ): Promise<ReadonlyMap<string, number>> {
    const known = this.#of(guest);
    const [before, firstSeenMs] = [known.firstSeenMs, new Map<string, number>()];
    const look = known.watch.look(nowMs);
    const idleMs = new Map<string, number>();
    await inTurns(flows, (flow) => {
      const firstMs = before.get(flow.id) ?? nowMs;
      firstSeenMs.set(flow.id, firstMs);
      const seenMs = look.note(flow);
      const hasMoved = seenMs < nowMs - firstMs;
      const estimatedMs = hasMoved ? 0 : (estimatedIdleS(flow, timeouts) ?? 0) * 1_000;
      const flowMs = Math.max(seenMs, estimatedMs);
      idleMs.set(flow.id, Math.min(flowMs, idleMs.get(flow.id) ?? flowMs));
    });
    look.end();
    known.firstSeenMs = firstSeenMs;
    return idleMs;
  }

  #of(guest: string): Known {
    const before = this.#known.get(guest);
    before?.forgetting.cancel();
    const forgetting = startTimer(() => this.#known.delete(guest), forgottenAfterMs, false);
    const { watch, firstSeenMs } = before ?? { watch: new FlowWatch(), firstSeenMs: new Map() };
    const known = { watch, firstSeenMs, forgetting };
    this.#known.set(guest, known);
    return known;
  }
}
