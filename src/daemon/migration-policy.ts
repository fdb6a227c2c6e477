import type { MigrationPolicy } from "../migrator/source-context.ts";
import { toBytesPerSecond } from "../platform/rates.ts";
import type { DaemonConfig } from "./config.ts";

/** After the promise, a destination that stays silent for this long leaves the migration in doubt. */
const settleDeadlineMs = 15_000;

/** Loading what is left after the stop takes a fraction of this; the guest is stopped meanwhile. */
const leastTakeoverMs = 5_000;

/** What is left may take as long as the policy `finish` allows, and that again where the prediction was wrong. */
const takeoverFactor = 2;

/** What the configuration, and this program, have migrations keep to. */
export function policyOf(config: DaemonConfig): MigrationPolicy {
  const { migration } = config;
  return {
    frozenDeadlineMs: migration.frozenDeadlineMs,
    downtimeLimitMs: migration.downtimeLimitMs,
    maxBandwidthBytesPerSecond: Math.round(toBytesPerSecond(migration.maxBandwidthMbps)),
    minimumPasses: migration.minimumPasses,
    finishLimitMs: migration.finishLimitMs,
    linkBytesPerSecond: Math.round(toBytesPerSecond(migration.linkMbps)),
    multifdChannels: migration.multifdChannels,
    compression: migration.compression,
    settleDeadlineMs,
    takeoverDeadlineMs: Math.max(leastTakeoverMs, takeoverFactor * migration.finishLimitMs),
  };
}
