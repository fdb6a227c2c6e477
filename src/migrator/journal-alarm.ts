import type { Logger } from "../platform/log.ts";
import type { JournalRecord } from "./journal-record.ts";

/** A record that could not be written, where that is no reason to fail: something else says the same. */
export function alarmOfUnwritten(
  logger: Logger,
  { migration, guest, step }: Pick<JournalRecord, "migration" | "guest" | "step">,
  error: unknown,
): void {
  const fields = { migration, guest, step, err: error };
  logger.error(fields, "alarm: the journal's record could not be written");
}
