import { monotonicMs, wallClockMs } from "../../platform/clock.ts";
import { preconditionError } from "../../platform/errors.ts";
import type { DaemonConfig, Endpoint } from "../config.ts";
import { createPeerClient } from "../peer-client.ts";
import { baseProcedures, protocolVersion } from "../procedures.ts";
import type { DoctorCheck } from "../services.ts";
import { attempt, ok, warn } from "./check.ts";

/**
 * Asks each peer (or the one named) over mutual TLS, and compares clocks.
 * @throws SojournError `SOJ_UNKNOWN_HOST` when the named one is not configured.
 */
export async function checkPeers(config: DaemonConfig, only?: string): Promise<DoctorCheck[]> {
  if (only !== undefined && !config.peers.has(only)) {
    throw preconditionError("SOJ_UNKNOWN_HOST", `${only} is not a peer of ${config.host.name}`, {
      httpStatus: 404,
      hint: `configured are: ${[...config.peers.keys()].join(", ") || "none"}`,
    });
  }
  const wanted = [...config.peers].filter(([name]) => only === undefined || name === only);
  const checks = wanted.map(([name, address]) =>
    attempt(`peer ${name}`, () => checkPeer(config, name, address)),
  );
  return (await Promise.all(checks)).flat();
}

async function checkPeer(
  config: DaemonConfig,
  peer: string,
  address: Endpoint,
): Promise<DoctorCheck[]> {
  const tls = config.peerApi;
  using client = await createPeerClient({ peer, address, tls, procedures: baseProcedures });
  await client.call("hello", { protocol_version: protocolVersion, host: config.host.name });
  const sentMs = monotonicMs();
  const { wall_clock_ms: theirs } = await client.call("clock", {});
  const roundTripMs = monotonicMs() - sentMs;
  const offsetMs = theirs - (wallClockMs() - roundTripMs / 2);
  return [
    ok(`peer ${peer}`, `answers over TLS in ${roundTripMs.toFixed(1)} ms`),
    checkClock(peer, offsetMs, roundTripMs / 2),
  ];
}

function checkClock(peer: string, offsetMs: number, errorMs: number): DoctorCheck {
  const name = `clock of ${peer}`;
  const detail = `${offsetMs.toFixed(1)} ms ahead of ours (± ${errorMs.toFixed(1)})`;
  if (Math.abs(offsetMs) - errorMs < 100) return ok(name, detail);
  return warn(name, detail, "synchronize both hosts' clocks (chrony, systemd-timesyncd)");
}
