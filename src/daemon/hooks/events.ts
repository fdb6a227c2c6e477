import { z } from "zod";
import { type Phase, phases } from "../../migrator/phases.ts";
import { type Outcome, outcomes } from "../../migrator/report.ts";

/** Told as such: a migration is planned before it begins, and a phase that is an outcome is told as the outcome. */
export const toldPhases = phases.filter((phase) => phase !== "planned" && !isOutcome(phase));

/** What a hook's payload may be about. */
export const hookTypes: readonly string[] = [
  ...toldPhases.map((phase) => `migration.${phase}`),
  ...outcomes.map((outcome) => `migration.${outcome}`),
  "migration.out-of-sight",
  "migration.progress",
  "migration.gate",
  "migration.name",
  "guest.arrived",
  "guest.departed",
];

/** What is told among phases, and is none. */
const notes: readonly string[] = ["gate", "name"];

/** Words that stand for several types. */
const groups = ["phases", "outcomes", "guests"] as const;

/** What is sent to those who do not say: everything but progress. */
export const defaultEvents: readonly string[] = groups;

/** What comes first when room is short, and what is dropped last. */
export const ranks = { progress: 0, phase: 1, outcome: 2 } as const;

export type Rank = (typeof ranks)[keyof typeof ranks];

/** Events that somebody wants: `phases`, `outcomes`, `guests`, `progress`, or single types. */
export const eventsSchema = z
  .array(
    z.enum([...groups, "progress", ...hookTypes], {
      error: `not an event: phases, outcomes, guests, progress, or a type such as migration.resumed`,
    }),
  )
  .min(1)
  .max(64);

/** Whether a type is among the wanted events. */
export function isWanted(type: string, events: readonly string[]): boolean {
  return events.includes(type) || events.includes(groupOf(type));
}

export function rankOf(type: string): Rank {
  const group = groupOf(type);
  if (group === "outcomes" || group === "guests") return ranks.outcome;
  return group === "phases" ? ranks.phase : ranks.progress;
}

export function isOutcome(phase: Phase): phase is Outcome {
  return (outcomes as readonly Phase[]).includes(phase);
}

function groupOf(type: string): string {
  const [about, name = ""] = type.split(".");
  if (about === "guest") return "guests";
  if (name === "out-of-sight" || isOutcome(name as Phase)) return "outcomes";
  if ((toldPhases as readonly string[]).includes(name) || notes.includes(name)) return "phases";
  return name;
}
