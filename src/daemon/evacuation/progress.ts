import { isPhase } from "../../migrator/phases.ts";
import type { StreamEvent } from "../../migrator/stored-migration.ts";
import type { EvacuationGuest } from "./schemas.ts";

/** How far a migration is, by its newest events; undefined before the first. Pure. */
export function progressOf(events: readonly StreamEvent[]): EvacuationGuest["progress"] {
  const phase = events.findLast((event) => event.type === "phase" && isPhase(event.phase));
  if (phase?.type !== "phase" || !isPhase(phase.phase)) return undefined;
  const stream = events.findLast((event) => event.type === "progress");
  return {
    phase: phase.phase,
    transferred_bytes: stream?.transferred_bytes ?? null,
    remaining_bytes: stream?.remaining_bytes ?? null,
  };
}
