import type { RoutingPlane } from "../routing/desired.ts";

/** Bounds of a tap's queue in packets; the kernel takes 8 bytes for each, used or not. */
const [shortest, longest] = [1_000, 100_000];

/** What a destination is told of the packets that may have to wait in its tap. */
export interface ExpectedInbound {
  packets_per_second: number;
  /** Longest time from arming to the resume. */
  budget_ms: number;
  /** What waits in the tap by now is thrown away. */
  afresh?: boolean | undefined;
}

/** Queue (packets) for twice what is expected. Pure. */
export function queueLengthFor({ packets_per_second, budget_ms }: ExpectedInbound): number {
  const wanted = Math.ceil(packets_per_second * (budget_ms / 1000) * 2);
  return Math.min(longest, Math.max(shortest, wanted));
}

type QueueRouting = Pick<RoutingPlane, "linkCounters" | "lengthenQueue" | "emptyQueue">;

/** A destination's tap, in which packets wait for the guest. */
export class TapQueue {
  readonly #routing: QueueRouting;
  readonly #tap: string;
  #droppedBefore: number | null = null;

  constructor(routing: QueueRouting, tap: string) {
    this.#routing = routing;
    this.#tap = tap;
  }

  /** Before the first packet has to wait. */
  async expect(inbound: ExpectedInbound): Promise<void> {
    this.#droppedBefore = (await this.#routing.linkCounters(this.#tap))?.txDropped ?? null;
    await this.#routing.lengthenQueue(this.#tap, queueLengthFor(inbound));
    if (inbound.afresh === true) await this.#routing.emptyQueue(this.#tap);
  }

  /** Packets that found the queue full since `expect`; null when that is not known. */
  async dropped(): Promise<number | null> {
    if (this.#droppedBefore === null) return null;
    const now = (await this.#routing.linkCounters(this.#tap))?.txDropped;
    return now === undefined ? null : Math.max(0, now - this.#droppedBefore);
  }
}
