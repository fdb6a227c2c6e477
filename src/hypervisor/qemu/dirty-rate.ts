import { delay, monotonicMs } from "../../platform/clock.ts";
import type { Execute } from "./capabilities.ts";
import { isObject } from "./qmp/messages.ts";

/** Shortest that `calc-dirty-rate` takes (QAPI: 1 to 60 seconds). */
const measuredS = 1;

/** Longer than this for an answer: something else keeps QEMU's measuring thread from its work. */
const patienceMs = 4_000;

/**
 * How fast the running guest dirties its memory, in bytes per second: QEMU samples pages for a second
 * (`calc-dirty-rate`, qapi/migration.json), which the guest does not feel. Null where QEMU cannot tell.
 */
export async function dirtyRate(execute: Execute): Promise<number | null> {
  await execute("calc-dirty-rate", { "calc-time": measuredS });
  const endMs = monotonicMs() + patienceMs;
  await delay(measuredS * 1_000);
  while (monotonicMs() < endMs) {
    const reply = await execute("query-dirty-rate");
    if (!isObject(reply)) return null;
    if (reply.status === "measured") return bytesOf(reply["dirty-rate"]);
    await delay(50);
  }
  return null;
}

/** QEMU tells whole MiB/s. */
function bytesOf(rate: unknown): number | null {
  return typeof rate === "number" && rate >= 0 ? rate * 1024 ** 2 : null;
}
