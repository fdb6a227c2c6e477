import type { RecordStore } from "../../migrator/record-store.ts";
import { wallClockMs } from "../../platform/clock.ts";

/**
 * Nobody here updates names any more: redirects that were to wait for that wait as those whose names hooks see to.
 * @param nameTtlS how long resolvers may answer with the old address then.
 */
export function leaveNamesToHooks(records: Pick<RecordStore, "all" | "put">, nameTtlS: number) {
  for (const record of records.all()) {
    const drain = record.redirect?.drain;
    if (!record.redirect || drain?.nameUpdatedMs !== null) continue;
    const known = { nameUpdatedMs: wallClockMs(), nameTtlS: Math.max(drain.nameTtlS, nameTtlS) };
    records.put({ ...record, redirect: { ...record.redirect, drain: { ...drain, ...known } } });
  }
}
