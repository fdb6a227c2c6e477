import type { PhaseEvent } from "../../migrator/events.ts";
import { isPhase, type Phase } from "../../migrator/phases.ts";
import { setBounded } from "../bounded-map.ts";

/** More migrations than this are not under way at once; the oldest is forgotten. */
const mostTracked = 256;

/** How a migration that has ended spent its time. */
export interface PhaseTimes {
  /** In milliseconds, all of one phase's times together. */
  durations: Map<Phase, number>;
  /** From its start to its last phase, in milliseconds. */
  totalMs: number;
  /** How often it went back to precopy. */
  retries: number;
}

/** Sums up the phases of the migrations that are under way, from their events. */
export class PhaseTracker {
  readonly #phases = new Map<string, { phase: Phase; atMs: number }[]>();

  note({ id, phase, at_ms: atMs }: PhaseEvent): void {
    if (!isPhase(phase)) return;
    const known = this.#phases.get(id);
    if (known !== undefined) known.push({ phase, atMs });
    else setBounded(this.#phases, id, [{ phase, atMs }], mostTracked);
  }

  /** What is known of a migration, which is forgotten. */
  end(id: string): PhaseTimes {
    const phases = (this.#phases.get(id) ?? []).toSorted((one, other) => one.atMs - other.atMs);
    this.#phases.delete(id);
    const durations = new Map<Phase, number>();
    for (const [index, { phase, atMs }] of phases.entries()) {
      const next = phases[index + 1];
      if (next === undefined) break;
      durations.set(phase, (durations.get(phase) ?? 0) + next.atMs - atMs);
    }
    const precopies = phases.filter(({ phase }) => phase === "precopy").length;
    return { durations, totalMs: phases.at(-1)?.atMs ?? 0, retries: Math.max(0, precopies - 1) };
  }
}
