import { z } from "zod";

/** Steps whose record is durable before their effect. */
const steps = [
  "begin",
  "pausing",
  "post-copy",
  "promise",
  "taken-over-by-destination",
  "aborted-by-destination",
  "completed",
  "undone",
  "in-doubt",
  "prepared",
  "takeover",
  "abort",
  "finished",
  "resolved-source",
  "resolved-destination",
  "destination-told",
  "superseded",
] as const;

export type JournalStep = (typeof steps)[number];

/** One record as it is written; what is not of this form is no record. */
const journalRecordSchema = z.object({
  step: z.enum(steps),
  migration: z.string(),
  guest: z.string(),
  epoch: z.int().nonnegative(),
  role: z.enum(["source", "destination"]),
  /** The other host, where a record is all that is left to know it by. */
  peer: z.string().optional(),
  /** Wall clock, informative. */
  at: z.string(),
});

export type JournalRecord = z.output<typeof journalRecordSchema>;

/** Steps after which this host has nothing left to decide about a migration. */
const lastSteps: readonly JournalStep[] = ["completed", "undone", "abort", "finished"];

/** An operator's decision. */
const resolutionSteps = ["resolved-source", "resolved-destination"] as const;

/**
 * The last record of each migration that these records do not end. Pure. An operator's decision about a guest ends
 * all that came before it: who made it had looked where the guest runs.
 */
export function unfinishedMigrations(records: readonly JournalRecord[]): JournalRecord[] {
  const last = new Map<string, JournalRecord>();
  for (const record of records) {
    if (isResolution(record)) {
      for (const [key, { guest }] of last) if (guest === record.guest) last.delete(key);
    } else if (!afterResolution.includes(record.step)) {
      last.set(`${record.role} ${record.migration}`, record);
    }
  }
  return [...last.values()].filter(({ step }) => !lastSteps.includes(step));
}

/** True for the record of an operator's decision. */
export function isResolution({ step }: Pick<JournalRecord, "step">): boolean {
  return resolutionSteps.some((known) => known === step);
}

/** What an operator's decision leads to. */
const afterResolution: readonly JournalStep[] = ["destination-told", "superseded"];

/** The record in a JSON text; null when it is none. */
export function parseRecord(text: string): JournalRecord | null {
  try {
    const parsed = journalRecordSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
