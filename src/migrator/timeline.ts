import { monotonicMs, wallClockMs } from "../platform/clock.ts";
import type { TimelineEntry } from "./report.ts";

/** A wall clock that has gone this much more or less than the monotonic one was set; a slewed one has not. */
const jumpMs = 100;

/** Stamps of other processes and hosts may be this much outside the migration, no more. */
const toleranceMs = 50;

/** Instants of one migration on the source's clocks; a wall clock that is set meanwhile moves none of them. */
export class Timeline {
  readonly entries: TimelineEntry[] = [];
  readonly #startedMs = wallClockMs();
  readonly #startedMonotonicMs = monotonicMs();
  readonly #listener: (entry: TimelineEntry, wallMs: number) => void;

  constructor(listener: (entry: TimelineEntry, wallMs: number) => void) {
    this.#listener = listener;
  }

  /**
   * Marks `phase`, now or at a wall-clock instant of this host (ms since 1970); at the call where that instant
   * cannot be meant. Returns the instant in ms since the start.
   */
  mark(phase: TimelineEntry["phase"], host: string, wallMs = wallClockMs()): number {
    const placeMs = this.placeMs(wallMs) ?? this.elapsedMs();
    const entry = { phase, at_ms: round(placeMs), host };
    this.entries.push(entry);
    this.#listener(entry, wallMs);
    return placeMs;
  }

  /** Puts something in that is told in another way: the listener does not hear of it. Returns the instant. */
  note(phase: TimelineEntry["phase"], host: string): number {
    const at_ms = round(this.elapsedMs());
    this.entries.push({ phase, at_ms, host });
    return at_ms;
  }

  /** Where a wall-clock instant of this host is, in ms since the start; null for one outside the migration. */
  placeMs(wallMs: number): number | null {
    const elapsedMs = this.elapsedMs();
    const setByMs = wallClockMs() - this.#startedMs - elapsedMs;
    const asStampedMs = wallMs - this.#startedMs;
    const placesMs =
      Math.abs(setByMs) < jumpMs ? [asStampedMs] : [asStampedMs, asStampedMs - setByMs];
    const isWithin = (ms: number) => ms > -toleranceMs && ms < elapsedMs + toleranceMs;
    return placesMs.find(isWithin) ?? null;
  }

  /** The entries in order of time: the destination's arrive late. */
  sorted(): TimelineEntry[] {
    return this.entries.toSorted((left, right) => left.at_ms - right.at_ms);
  }

  elapsedMs(): number {
    return monotonicMs() - this.#startedMonotonicMs;
  }
}

/** Milliseconds with microseconds kept. */
export function round(valueMs: number): number {
  return Math.round(valueMs * 1000) / 1000;
}
