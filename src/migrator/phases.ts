/**
 * Phases of a migration: in their order up to `retired`, then the other ways that it may end. What is `completed` stays so
 * in the history: the two after it are of its redirect, and may come days later.
 */
export const phases = [
  "planned",
  "preparing",
  "prepared",
  "precopy",
  "armed",
  "switchover",
  "resumed",
  "verifying",
  "completed",
  "draining",
  "retired",
  "rolling-back",
  "rolled-back",
  "cancelled",
  "in-doubt",
  "guest-lost",
] as const;

export type Phase = (typeof phases)[number];

/** Whether an event's or a timeline's name is a phase: instants in between, such as `stop`, are none. */
export function isPhase(text: string): text is Phase {
  return (phases as readonly string[]).includes(text);
}

/** Of a redirect whose migration has ended: nobody waits for them. */
export const phasesAfterwards = ["draining", "retired"] as const satisfies readonly Phase[];
