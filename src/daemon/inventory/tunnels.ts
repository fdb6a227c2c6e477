import type { TunnelUse } from "../../migrator/tunnel-use.ts";
import { tunnelName } from "../../tunnels/identity.ts";
import type { ObservedTunnel } from "../../tunnels/observe.ts";
import type { TunnelInterface, TunnelSpec } from "../../tunnels/tunnel.ts";
import type { TunnelSummary } from "./schemas.ts";

/**
 * What the guests' records ask for beside what the kernel has, by interface name. Pure.
 * @param interfaceOf the interface of a wanted tunnel; null for one that has not been made yet.
 */
export function tunnelSummaries(
  uses: readonly TunnelUse[],
  interfaceOf: (spec: TunnelSpec) => TunnelInterface | null,
  observed: readonly ObservedTunnel[],
): TunnelSummary[] {
  const left = new Map(observed.map((tunnel) => [tunnel.interfaceName, tunnel]));
  const wanted = uses.map((use) => {
    const tunnel = interfaceOf(use.spec);
    const found = tunnel === null ? undefined : left.get(tunnel.interfaceName);
    if (found !== undefined) left.delete(found.interfaceName);
    return wantedSummary(use, tunnel, found);
  });
  const unwanted = [...left.values()].map(unwantedSummary);
  return [...wanted, ...unwanted].sort((a, b) => (a.interface < b.interface ? -1 : 1));
}

function wantedSummary(
  { spec, remoteHost, guests }: TunnelUse,
  tunnel: TunnelInterface | null,
  found: ObservedTunnel | undefined,
): TunnelSummary {
  const mtu = tunnel?.mtu ?? null;
  return {
    interface: tunnel?.interfaceName ?? tunnelName(spec),
    kind: spec.kind,
    datapath: found?.datapath ?? tunnel?.datapath ?? null,
    local_address: spec.localAddress,
    remote_address: spec.remoteAddress,
    remote_host: remoteHost,
    mtu,
    guests: guests.toSorted(),
    wanted: true,
    state: stateOf(found, mtu),
    sent: found?.sent ?? null,
    received: found?.received ?? null,
  };
}

function stateOf(found: ObservedTunnel | undefined, mtu: number | null): TunnelSummary["state"] {
  if (found === undefined) return "missing";
  if (!found.isUp) return "down";
  return found.mtu === mtu ? "ok" : "wrong-mtu";
}

function unwantedSummary(found: ObservedTunnel): TunnelSummary {
  return {
    interface: found.interfaceName,
    kind: found.ends?.kind ?? "unknown",
    datapath: found.datapath,
    local_address: found.ends?.localAddress ?? null,
    remote_address: found.ends?.remoteAddress ?? null,
    ...{ remote_host: null, mtu: found.mtu, guests: [], wanted: false, state: "unwanted" },
    ...{ sent: found.sent, received: found.received },
  };
}
