/** Phases of a migration: in their order up to `completed`, then the other ways that it may end. */
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
