import { monotonicMs } from "../platform/clock.ts";
import type { Drain, DrainTime } from "./records.ts";

/**
 * How long a drain has gone on, in milliseconds. Across a reboot only what was stored counts: how long the host was down
 * is told by nothing but a clock that may be wrong, and nobody was served meanwhile.
 * @param boot names the boot of now (`bootId`).
 */
export function elapsedMs(counted: DrainTime | undefined, boot: string): number {
  if (counted === undefined) return 0;
  const sinceMs = counted.boot === boot ? monotonicMs() - counted.monotonicMs : 0;
  return counted.elapsedMs + Math.max(0, sinceMs);
}

/** What is to be stored of it now; the name's update counts from when this host sees it. */
export function countedNow({ counted, nameUpdatedMs }: Drain, boot: string): DrainTime {
  const elapsed = elapsedMs(counted, boot);
  const seen = counted?.nameElapsedMs ?? elapsed;
  const isAnew = counted !== undefined && counted.boot !== boot;
  const rebootElapsedMs = isAnew ? elapsed : counted?.rebootElapsedMs;
  return {
    boot,
    monotonicMs: monotonicMs(),
    elapsedMs: elapsed,
    nameElapsedMs: nameUpdatedMs === null ? null : seen,
    ...(rebootElapsedMs === undefined ? {} : { rebootElapsedMs }),
  };
}

/** So much may be lost in a reboot. */
const storedEveryMs = 600_000;

/** Whether what is stored is too old, or does not tell of something. */
export function isCountDue({ counted, nameUpdatedMs }: Drain, boot: string): boolean {
  if (counted?.boot !== boot) return true;
  if ((nameUpdatedMs === null) !== (counted.nameElapsedMs === null)) return true;
  return monotonicMs() - counted.monotonicMs >= storedEveryMs;
}
