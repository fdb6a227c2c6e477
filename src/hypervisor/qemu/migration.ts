import { isIP } from "node:net";
import { delay } from "../../platform/clock.ts";
import { SojournError, usageError } from "../../platform/errors.ts";
import type {
  MigrationProgress,
  OutgoingParameters,
  OutgoingPreparation,
  OutgoingReadiness,
  StreamFeatures,
} from "../hypervisor.ts";
import { type Execute, setCapabilities } from "./capabilities.ts";
import { migrationPort, progressFromReply } from "./migration-replies.ts";
import { noFeatures, requireFeatures, setFeatures } from "./stream-features.ts";
import { protectIncoming, protectOutgoing, type StreamTls } from "./stream-tls.ts";
import { setThrottle } from "./throttle.ts";

/** Longest downtime QEMU takes: MAX_MIGRATE_DOWNTIME. */
const maxDowntimeMs = 2_000_000;
const outgoingCapabilities = ["events", "return-path", "pause-before-switchover"];
const incomingCapabilities = ["events", "return-path"];
/**
 * With it the source does not switch over before the destination has acknowledged, unless the guest was stopped
 * meanwhile. Set at the source only, so that no acknowledgement ever comes, it leaves the moment to whoever stops
 * the guest (QAPI `switchover-ack`; `migration_can_switchover` in migration/migration.c). QEMU 8.1 and later.
 */
const heldCapability = "switchover-ack";

/** Ports, both included. */
export interface PortRange {
  first: number;
  last: number;
}

/**
 * `migrate-incoming` on a free port of `address`, of `ports` if there are any, open to `sourceHost` only; gives the
 * port. Source: QAPI `InetSocketAddress`, `to`.
 */
export async function listenForMigration(
  execute: Execute,
  address: string,
  options: {
    sourceHost: string;
    tls: StreamTls | null;
    ports: PortRange | null;
    hasDisks: boolean;
    wanted: StreamFeatures | undefined;
  },
): Promise<{ port: number; features?: StreamFeatures }> {
  const { sourceHost, tls, ports, hasDisks } = options;
  const host = uriHost(address);
  // The image's lock must stay with the source until the destination runs.
  await setCapabilities(
    execute,
    hasDisks ? [...incomingCapabilities, "late-block-activate"] : incomingCapabilities,
  );
  const { wanted } = options;
  const features = wanted === undefined ? {} : { features: await setFeatures(execute, wanted) };
  await protectIncoming(execute, tls, sourceHost);
  const portText = ports === null ? "0" : `${ports.first},to=${ports.last}`;
  await execute("migrate-incoming", { uri: `tcp:${host}:${portText}` });
  const port = migrationPort(await execute("query-migrate"));
  if (port !== null) return { port, ...features };
  throw new SojournError(
    "SOJ_HYPERVISOR_REFUSED",
    `QEMU listens for a migration on ${address} but does not say on which port`,
  );
}

/**
 * Capabilities and parameters of the sending side. Channels beside the stream's own exceed a low bandwidth: each sends
 * packets of 512 KiB (observed on 10.0.2: two, told 10 MB/s, send 17; told 40, 50).
 */
export async function prepareOutgoing(
  execute: Execute,
  { features = noFeatures, throttle = null, ...parameters }: OutgoingPreparation,
): Promise<OutgoingReadiness> {
  await requireFeatures(execute, features);
  await setThrottle(execute, throttle);
  const set = await setCapabilities(execute, outgoingCapabilities, [heldCapability]);
  const { maxBandwidthBytesPerSecond } = parameters;
  const following = features.postCopy
    ? { maxPostCopyBandwidthBytesPerSecond: maxBandwidthBytesPerSecond }
    : {};
  await setOutgoingParameters(execute, { ...following, ...parameters });
  return { heldUntilStopped: set.includes(heldCapability) };
}

/** @throws SojournError `SOJ_USAGE` for values QEMU would not take. */
export async function setOutgoingParameters(
  execute: Execute,
  wanted: Partial<OutgoingParameters>,
): Promise<void> {
  const { downtimeLimitMs: limitMs, maxBandwidthBytesPerSecond: bandwidth } = wanted;
  const { maxPostCopyBandwidthBytesPerSecond: postCopyBandwidth } = wanted;
  const parameters = {
    ...(limitMs !== undefined && {
      "downtime-limit": wholeNumber("downtime limit", limitMs, maxDowntimeMs),
    }),
    ...(bandwidth !== undefined && { "max-bandwidth": bytesPerSecond(bandwidth) }),
    ...(postCopyBandwidth !== undefined && {
      "max-postcopy-bandwidth": bytesPerSecond(postCopyBandwidth),
    }),
  };
  await execute("migrate-set-parameters", parameters);
}

/** QMP `migrate` over TCP, to nobody but `destinationHost`. */
export async function migrateTo(
  execute: Execute,
  address: string,
  port: number,
  { destinationHost, tls }: { destinationHost: string; tls: StreamTls | null },
): Promise<void> {
  const uri = `tcp:${uriHost(address)}:${wholeNumber("port", port, 65_535)}`;
  await protectOutgoing(execute, tls, destinationHost);
  await execute("migrate", { uri });
}

/** One reading of `query-migrate`; read again where QEMU has not yet filled in a completed one. */
export async function migrationProgress(execute: Execute): Promise<MigrationProgress> {
  for (let attempt = 0; ; attempt++) {
    const { progress, isFilled } = progressFromReply(await execute("query-migrate"));
    if (isFilled || attempt === 5) return progress;
    await delay(5);
  }
}

export function uriHost(address: string): string {
  const family = isIP(address);
  if (family === 0 || address.includes("%")) {
    throw usageError(`${JSON.stringify(address.slice(0, 80))} is not an IP address`);
  }
  return family === 6 ? `[${address}]` : address;
}

export function wholeNumber(what: string, value: number, largest: number): number {
  const rounded = Math.round(value);
  if (rounded >= 0 && rounded <= largest) return rounded;
  throw usageError(`${what} ${value} is not between 0 and ${largest}`);
}

function bytesPerSecond(value: number): number {
  return wholeNumber("bandwidth", value, Number.MAX_SAFE_INTEGER);
}
