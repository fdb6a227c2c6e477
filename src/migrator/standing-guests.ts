import { monotonicMs, wallClockMs } from "../platform/clock.ts";
import type { Journal } from "./journal.ts";
import type { RecordStore } from "./record-store.ts";
import type { GuestRecord } from "./records.ts";
import type { RunStates } from "./run-states.ts";

/** A guest that a migration has stopped on this host and that is not known to run anywhere. */
export interface StandingGuest {
  guest: string;
  migration: string;
  /** Monotonic, in milliseconds. */
  sinceMs: number;
}

interface Knowledge {
  records: Pick<RecordStore, "all">;
  journal: Pick<Journal, "has" | "recordsOf">;
  runStates: Pick<RunStates, "get">;
}

/**
 * Finds the guests that stand because of a migration, as QEMU's events and the journal tell; asks nobody. One that its
 * user had paused before is none of them.
 */
export class StandingGuests {
  readonly #known: Knowledge;
  /** When the journal says that a guest was stopped, by migration: looked up once. */
  readonly #writtenMs = new Map<string, number | null>();

  constructor(known: Knowledge) {
    this.#known = known;
  }

  list(): StandingGuest[] {
    const found = this.#known.records.all().flatMap((record) => this.#standing(record) ?? []);
    const current = new Set(found.map(({ migration }) => migration));
    for (const id of this.#writtenMs.keys()) if (!current.has(id)) this.#writtenMs.delete(id);
    return found;
  }

  #standing({ guest, migration }: GuestRecord): StandingGuest | null {
    if (!migration?.resume) return null;
    const { id, role } = migration;
    const { journal, runStates } = this.#known;
    const state = runStates.get(guest);
    if (state === undefined || state.isRunning) return null;
    const isOurs = role === "source" ? this.#isSourceWaiting(id) : journal.has(id, "takeover");
    if (!isOurs) return null;
    const sinceMs = state.stoppedMs ?? this.#writtenAt(id, role);
    return sinceMs === null ? null : { guest, migration: id, sinceMs };
  }

  /** We have stopped the guest, and nobody has said that it runs elsewhere. */
  #isSourceWaiting(id: string): boolean {
    const { journal } = this.#known;
    if (!journal.has(id, "pausing") || journal.has(id, "resolved-destination")) return false;
    return !journal.has(id, "taken-over-by-destination") && !journal.has(id, "completed");
  }

  #writtenAt(id: string, role: "source" | "destination"): number | null {
    const known = this.#writtenMs.get(id);
    if (known !== undefined) return known;
    const step = role === "source" ? "pausing" : "takeover";
    const record = this.#known.journal.recordsOf(id).findLast((one) => one.step === step);
    const writtenMs = record === undefined ? null : toMonotonic(Date.parse(record.at));
    this.#writtenMs.set(id, writtenMs);
    return writtenMs;
  }
}

/** An instant of the wall clock, which may have been set since. */
function toMonotonic(wallMs: number): number {
  return monotonicMs() - Math.max(0, wallClockMs() - wallMs);
}
