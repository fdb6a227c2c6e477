/** Phases of a migration, in the words of DESIGN 2. */
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

export function isPhase(text: string): text is Phase {
  return (phases as readonly string[]).includes(text);
}
