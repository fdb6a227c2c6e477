/** Counted since the daemon's start, for one subscription. */
export interface DeliveryCounts {
  /** Each repetition counts. */
  attempted: number;
  delivered: number;
  /** Attempts that failed. */
  failed: number;
  /** Messages given up. */
  dead: number;
  /** Messages lost for want of room. */
  dropped: number;
}

/** What is known of one subscription's deliveries. */
export interface HookFigures extends DeliveryCounts {
  subscription: string;
  kind: "webhook" | "exec";
  /** Messages that wait. */
  waiting: number;
  waitingBytes: number;
}

export class DeliveryCounters {
  readonly #counts = new Map<string, Omit<DeliveryCounts, "dropped">>();

  of(subscription: string): Omit<DeliveryCounts, "dropped"> {
    const known = this.#counts.get(subscription);
    if (known !== undefined) return known;
    const counts = { attempted: 0, delivered: 0, failed: 0, dead: 0 };
    this.#counts.set(subscription, counts);
    return counts;
  }

  forget(subscription: string): void {
    this.#counts.delete(subscription);
  }
}
