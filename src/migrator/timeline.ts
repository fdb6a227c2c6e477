import { wallClockMs } from "../platform/clock.ts";
import type { TimelineEntry } from "./report.ts";

/** Instants of one migration on the source's clocks. */
export class Timeline {
  readonly entries: TimelineEntry[] = [];
  readonly startedMs = wallClockMs();
  readonly #listener: (entry: TimelineEntry, wallMs: number) => void;

  constructor(listener: (entry: TimelineEntry, wallMs: number) => void) {
    this.#listener = listener;
  }

  /** Marks `phase`, now or at a wall-clock instant of this host (ms since 1970). */
  mark(phase: TimelineEntry["phase"], host: string, wallMs = wallClockMs()): void {
    const entry = { phase, at_ms: round(wallMs - this.startedMs), host };
    this.entries.push(entry);
    this.#listener(entry, wallMs);
  }

  /** The entries in order of time: the destination's arrive late. */
  sorted(): TimelineEntry[] {
    return this.entries.toSorted((left, right) => left.at_ms - right.at_ms);
  }

  elapsedMs(): number {
    return round(wallClockMs() - this.startedMs);
  }
}

/** Milliseconds with microseconds kept. */
export function round(valueMs: number): number {
  return Math.round(valueMs * 1000) / 1000;
}
