import { appendFileSync } from "node:fs";
import { afterEach, beforeEach, expect } from "vitest";
import type { FaultLab } from "./fault-lab.ts";

/** What tests do in, one after the other. */
type WatchedLab = Pick<FaultLab, "beginCase" | "endCase" | "mend">;

/** What one test did to a migration, as scripts/faults shows it. */
export interface FaultRecord {
  /** Rows of the fault matrix, from the `[rows …]` at the start of the test's title. */
  rows: string[];
  test: string;
  faults_injected: number;
  /** Null where the guest was meant to stop. */
  longest_freeze_ms: number | null;
  /** What it may be in this test; null likewise. */
  freeze_limit_ms: number | null;
}

/** Rows that a title names: `[rows 4, 21a] …`. */
export function rowsOf(title: string): string[] {
  return /^\[rows ([^\]]+)\]/.exec(title)?.[1]?.split(", ") ?? [];
}

/** Appends a record to the file that SOJOURN_FAULTS_RESULTS names, if it does. */
export function recordFault(record: FaultRecord): void {
  const path = process.env.SOJOURN_FAULTS_RESULTS;
  if (path) appendFileSync(path, `${JSON.stringify(record)}\n`);
}

/** Counts the faults of each test of a file, and measures the guest's longest freeze, which must be within its limit. */
export function recordEachFault(lab: () => WatchedLab | undefined): void {
  beforeEach(() => lab()?.beginCase());
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail")
      await lab()
        ?.mend()
        .catch(() => {});
    const ended = lab()?.endCase();
    if (ended === undefined) return;
    recordFault({
      rows: rowsOf(task.name),
      test: task.name,
      faults_injected: ended.injected,
      longest_freeze_ms: ended.longestFreezeMs,
      freeze_limit_ms: ended.longestFreezeMs === null ? null : ended.limitMs,
    });
    if (ended.longestFreezeMs === null) return;
    expect(ended.longestFreezeMs, "longest freeze (ms)").toBeLessThanOrEqual(ended.limitMs);
  });
}
