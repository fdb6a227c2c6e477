import type { Logger } from "../platform/log.ts";
import { describeDamage, type Journal } from "./journal.ts";
import type { RecordStore } from "./record-store.ts";

/**
 * Tells what was found when the journal was opened. With a damaged one, automation stops for the guests that a lost
 * record may have been about, and for those of unfinished migrations: they go on as they are.
 */
export function holdDamaged(
  journal: Journal,
  records: Pick<RecordStore, "all">,
  logger: Logger,
): void {
  const { tornBytes, damage, converted } = journal.opening;
  const { path } = journal;
  if (converted) logger.info({ path }, "the journal of an earlier release was rewritten");
  if (tornBytes > 0) {
    logger.warn({ path, torn_bytes: tornBytes }, "a record that was not written whole was cut off");
  }
  if (damage.length === 0) return;
  const concerned = records
    .all()
    // What an operator has decided is gone on with, also after the next start.
    .filter(({ migration }) => migration !== null && journal.resolutionOf(migration.id) === null);
  const held = journal.holdUnfinished(concerned.map(({ guest }) => guest));
  logger.error({ path, damage, held }, `alarm: the journal ${describeDamage(damage)}`);
}
