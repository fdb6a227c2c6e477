import { z } from "zod";

/** Steps whose record is durable before their effect (DESIGN 3). */
const steps = [
  "begin",
  "pausing",
  "promise",
  "taken-over-by-destination",
  "completed",
  "undone",
  "in-doubt",
  "prepared",
  "takeover",
  "abort",
  "finished",
] as const;

export type JournalStep = (typeof steps)[number];

export const journalRecordSchema = z.object({
  step: z.enum(steps),
  migration: z.string(),
  guest: z.string(),
  epoch: z.int().nonnegative(),
  role: z.enum(["source", "destination"]),
  /** Wall clock, informative. */
  at: z.string(),
});

export type JournalRecord = z.output<typeof journalRecordSchema>;

/** Steps after which this host has nothing left to decide about a migration. */
const lastSteps: readonly JournalStep[] = ["completed", "undone", "abort", "finished"];

/** Guests of migrations that these records do not end. Pure. */
export function unfinishedGuests(records: readonly JournalRecord[]): Set<string> {
  const last = new Map(records.map((record) => [`${record.role} ${record.migration}`, record]));
  const unfinished = [...last.values()].filter(({ step }) => !lastSteps.includes(step));
  return new Set(unfinished.map(({ guest }) => guest));
}

/** The record in a JSON text; null when it is none. */
export function parseRecord(text: string): JournalRecord | null {
  try {
    const parsed = journalRecordSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
