import type { MigrationProgress } from "../hypervisor.ts";
import { isObject } from "./qmp/messages.ts";

/**
 * Reads QAPI `MigrationInfo`. `isFilled` is false for a source's `completed` that still holds zeros;
 * a destination's never has RAM figures.
 */
export function progressFromReply(reply: unknown): {
  progress: MigrationProgress;
  isFilled: boolean;
} {
  const info = isObject(reply) ? reply : {};
  const ram = isObject(info.ram) ? info.ram : {};
  const status = typeof info.status === "string" ? info.status : "none";
  const dirtySyncCount = count(ram["dirty-sync-count"]);
  const dirtyPagesPerSecond = count(ram["dirty-pages-rate"]);
  const progress: MigrationProgress = {
    status,
    transferredBytes: count(ram.transferred),
    remainingBytes: count(ram.remaining),
    totalBytes: count(ram.total),
    dirtyBytesPerSecond:
      dirtySyncCount < 2 ? null : dirtyPagesPerSecond * (count(ram["page-size"]) || 4096),
    bandwidthMbps: count(ram.mbps),
    dirtySyncCount,
    throttlePercent: count(info["cpu-throttle-percentage"]) || null,
    errorText: typeof info["error-desc"] === "string" ? info["error-desc"].slice(0, 2000) : null,
  };
  const isFilled = status !== "completed" || !isObject(info.ram) || progress.transferredBytes > 0;
  return { progress, isFilled };
}

/** The TCP port a destination listens on, from its `query-migrate`. */
export function migrationPort(reply: unknown): number | null {
  const addresses = isObject(reply) ? reply["socket-address"] : undefined;
  if (!Array.isArray(addresses)) return null;
  for (const address of addresses.filter(isObject)) {
    const port = Number(address.port);
    if (address.type === "inet" && Number.isInteger(port) && port > 0 && port < 65_536) return port;
  }
  return null;
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0;
}
