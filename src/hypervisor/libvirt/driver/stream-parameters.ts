import { isIP } from "node:net";
import { usageError } from "../../../platform/errors.ts";
import { MigrateFlag } from "../rpc/constants/flags.ts";
import type { StreamOptions } from "./libvirt-hypervisor.ts";

const mib = 1024 * 1024;
/** Where nothing limits a stream: 1 TiB/s. 0 would mean what somebody has set with `virsh migrate-setspeed`. */
const unlimitedMibps = mib;
/** Longest downtime QEMU takes: MAX_MIGRATE_DOWNTIME. */
const longestDowntimeMs = 2_000_000;

/**
 * Flags of all phases of a stream. The guest arrives paused, and its domain stays one of its home's: no definition goes
 * along, none is taken away. Whether its disks are safe to be moved has been proved before, by other means than what
 * libvirt goes by (the kind of file system, the cache mode), so that is not asked of it again (`unsafe`).
 */
export function streamFlags({ tls, autoConverge, allowsPostCopy }: StreamOptions): number {
  const { live, paused, changeProtection, abortOnError, unsafe } = MigrateFlag;
  return (
    (live | paused | changeProtection | abortOnError | unsafe) +
    (tls ? MigrateFlag.tls : 0) +
    (autoConverge ? MigrateFlag.autoConverge : 0) +
    (allowsPostCopy ? MigrateFlag.postCopy : 0)
  );
}

/** Bytes per second, 0 for no limit, as libvirt counts: whole MiB/s, at least one. */
export function bandwidthMibps(bytesPerSecond: number): number {
  if (bytesPerSecond === 0) return unlimitedMibps;
  const wanted = Math.max(
    1,
    Math.round(checked("bandwidth", bytesPerSecond, Number.MAX_SAFE_INTEGER) / mib),
  );
  return Math.min(wanted, unlimitedMibps);
}

/** As libvirt takes it: whole milliseconds, at least one. */
export function downtimeMs(limitMs: number): number {
  return Math.max(1, Math.round(checked("downtime limit", limitMs, longestDowntimeMs)));
}

/** Where a stream goes; without a port libvirt chooses one. @throws SojournError `SOJ_USAGE` for no IP address. */
export function streamUri(address: string, port?: number): string {
  const family = isIP(address);
  if (family === 0 || address.includes("%")) {
    throw usageError(`${JSON.stringify(address.slice(0, 80))} is not an IP address`);
  }
  const host = family === 6 ? `[${address}]` : address;
  return port === undefined ? `tcp://${host}` : `tcp://${host}:${checked("port", port, 65_535)}`;
}

/** The port in what libvirt calls the place where it listens; null when there is none. */
export function portOf(uri: string): number | null {
  const port = Number(/:([0-9]{1,5})\/?$/.exec(uri)?.[1]);
  return port > 0 && port < 65_536 ? port : null;
}

function checked(what: string, value: number, largest: number): number {
  if (value >= 0 && value <= largest) return value;
  throw usageError(`${what} ${value} is not between 0 and ${largest}`);
}
