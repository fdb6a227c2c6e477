import { isIP } from "node:net";
import { delay } from "../../platform/clock.ts";
import { SojournError, usageError } from "../../platform/errors.ts";
import type { MigrationProgress, OutgoingParameters, OutgoingReadiness } from "../hypervisor.ts";
import { migrationPort, progressFromReply } from "./migration-replies.ts";
import { isObject } from "./qmp/messages.ts";
import { protectIncoming, protectOutgoing, type StreamTls } from "./stream-tls.ts";

export type Execute = (command: string, args?: Record<string, unknown>) => Promise<unknown>;

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
  },
): Promise<{ port: number }> {
  const { sourceHost, tls, ports, hasDisks } = options;
  const host = uriHost(address);
  // The image's lock must stay with the source until the destination runs.
  const wanted = hasDisks ? [...incomingCapabilities, "late-block-activate"] : incomingCapabilities;
  await setCapabilities(execute, wanted);
  await protectIncoming(execute, tls, sourceHost);
  const portText = ports === null ? "0" : `${ports.first},to=${ports.last}`;
  await execute("migrate-incoming", { uri: `tcp:${host}:${portText}` });
  const port = migrationPort(await execute("query-migrate"));
  if (port !== null) return { port };
  throw new SojournError(
    "SOJ_HYPERVISOR_REFUSED",
    `QEMU listens for a migration on ${address} but does not say on which port`,
  );
}

/** Capabilities and parameters of the sending side. */
export async function prepareOutgoing(
  execute: Execute,
  parameters: OutgoingParameters,
): Promise<OutgoingReadiness> {
  const set = await setCapabilities(execute, outgoingCapabilities, [heldCapability]);
  await setOutgoingParameters(execute, parameters);
  return { heldUntilStopped: set.includes(heldCapability) };
}

/** @throws SojournError `SOJ_USAGE` for values QEMU would not take. */
export async function setOutgoingParameters(
  execute: Execute,
  { downtimeLimitMs, maxBandwidthBytesPerSecond }: Partial<OutgoingParameters>,
): Promise<void> {
  const parameters: Record<string, number> = {};
  if (downtimeLimitMs !== undefined) {
    parameters["downtime-limit"] = wholeNumber("downtime limit", downtimeLimitMs, maxDowntimeMs);
  }
  if (maxBandwidthBytesPerSecond !== undefined) {
    parameters["max-bandwidth"] = wholeNumber(
      "bandwidth",
      maxBandwidthBytesPerSecond,
      Number.MAX_SAFE_INTEGER,
    );
  }
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

/**
 * Sets `wanted` and, of `welcome`, those that there are; gives all that are set. `validate-uuid` is always
 * welcome: both sides then compare the guest's UUID.
 */
async function setCapabilities(
  execute: Execute,
  wanted: readonly string[],
  welcome: readonly string[] = [],
): Promise<string[]> {
  const reply = await execute("query-migrate-capabilities");
  const known = new Set(
    (Array.isArray(reply) ? reply : []).filter(isObject).map(({ capability }) => capability),
  );
  const missing = wanted.filter((capability) => !known.has(capability));
  if (missing.length > 0) {
    throw new SojournError(
      "SOJ_HYPERVISOR_REFUSED",
      `this QEMU cannot migrate safely: it lacks ${missing.join(", ")}`,
    );
  }
  const found = [...welcome, "validate-uuid"].filter((capability) => known.has(capability));
  const set = [...wanted, ...found];
  await execute("migrate-set-capabilities", {
    capabilities: set.map((capability) => ({ capability, state: true })),
  });
  return set;
}

function uriHost(address: string): string {
  const family = isIP(address);
  if (family === 0 || address.includes("%")) {
    throw usageError(`${JSON.stringify(address.slice(0, 80))} is not an IP address`);
  }
  return family === 6 ? `[${address}]` : address;
}

function wholeNumber(what: string, value: number, largest: number): number {
  const rounded = Math.round(value);
  if (rounded >= 0 && rounded <= largest) return rounded;
  throw usageError(`${what} ${value} is not between 0 and ${largest}`);
}
