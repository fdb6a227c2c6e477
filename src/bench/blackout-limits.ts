import { type DaemonConfig, loadConfig } from "../daemon/config.ts";
import type { BlackoutLimit } from "./migrate-lines.ts";

/**
 * What the configuration of the hosts says of blackouts.
 * @param path of one of them; all are taken to say the same.
 */
export async function blackoutLimits(path: string): Promise<BlackoutLimit> {
  const config = await loadConfig(path).catch(() => null);
  return (policy) => (config === null ? null : limitOf(config.migration, policy));
}

/** A policy that nobody has chosen is the configured one. */
function limitOf(migration: DaemonConfig["migration"], wished: string | undefined): number {
  const policy = wished ?? migration.options.policy;
  return policy === "finish" ? migration.finishLimitMs : migration.downtimeLimitMs;
}
