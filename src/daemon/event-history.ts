import { phasesAfterwards } from "../migrator/phases.ts";
import type { FeedEvent } from "./event-feed.ts";
import type { EndEvent, MigrationEvent } from "./services.ts";

/** Largest number of events that a reader is given at once: what it holds on to is bounded. */
const batchSize = 256;

/** Events in their order, each with its number; the oldest are dropped, progress before all others. */
export class EventHistory {
  readonly #kept: number;
  #entries: [sequence: number, event: FeedEvent][] = [];
  /** Number of the newest event that is missing here; 0 for none. */
  droppedUpTo = 0;
  /** Number before a migration's latest attempt: one that was in doubt may have several ends. */
  attempt = 0;

  constructor(kept: number) {
    this.#kept = kept;
  }

  get newest(): number {
    return this.#entries.at(-1)?.[0] ?? 0;
  }

  get isEnded(): boolean {
    return this.end !== undefined;
  }

  /** The result, if it is the newest event. */
  get end(): MigrationEvent | undefined {
    const last = this.#entries.at(-1)?.[1].event;
    return last !== undefined && isEnd(last) ? last : undefined;
  }

  add(sequence: number, event: FeedEvent): void {
    if (this.isEnded) this.attempt = this.newest;
    this.#entries.push([sequence, event]);
    // In large steps, so that each event costs little.
    if (this.#entries.length > this.#kept * 1.25) this.#thin();
  }

  /** The first ones after a number. */
  after(sequence: number): readonly [sequence: number, event: FeedEvent][] {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.[0] ?? 0) <= sequence) low = middle + 1;
      else high = middle;
    }
    return this.#entries.slice(low, low + batchSize);
  }

  #thin(): void {
    const spare = this.#entries.length - this.#kept;
    const old = this.#entries.slice(0, spare * 2);
    const progress = old.filter(([, { event }]) => event.type === "progress");
    const others = old.filter(([, { event }]) => event.type !== "progress");
    const dropped = [...progress, ...others].slice(0, spare).map(([sequence]) => sequence);
    this.droppedUpTo = Math.max(this.droppedUpTo, ...dropped);
    const isDropped = new Set(dropped);
    this.#entries = this.#entries.filter(([sequence]) => !isDropped.has(sequence));
  }
}

/** Whether nothing follows in this migration, or in this attempt of one that was in doubt. */
export function isEnd(event: MigrationEvent): event is EndEvent {
  return event.type === "report" || event.type === "error";
}

/** Whether it is of a redirect whose migration has ended, and has told its end. */
export function isAfterEnd(event: MigrationEvent): boolean {
  return event.type === "phase" && phasesAfterwards.some((phase) => phase === event.phase);
}
