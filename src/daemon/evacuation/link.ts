import type { PeerCaller } from "../../platform/procedures.ts";
import { toBytesPerSecond } from "../../platform/rates.ts";
import type { RoutingPlane } from "../../routing/desired.ts";
import { greet } from "../anchors.ts";
import type { DaemonConfig } from "../config.ts";
import type { baseProcedures } from "../procedures.ts";

export interface LinkOptions {
  config: Pick<DaemonConfig, "host" | "migration">;
  routing: Pick<RoutingPlane, "routeTo" | "linkSpeed">;
  peer: (host: string) => PeerCaller<typeof baseProcedures>;
}

/**
 * What a stream gets of the link to a destination by itself, in bytes per second: as configured, or what the hardware of
 * the device that leads there says. Null where nobody can tell. Never throws.
 */
export async function linkBytesPerSecond(
  { config, routing, peer }: LinkOptions,
  to: readonly string[],
): Promise<number | null> {
  const { linkMbps, maxBandwidthMbps } = config.migration;
  const speeds = linkMbps > 0 ? [toBytesPerSecond(linkMbps)] : await Promise.all(to.map(speedTo));
  const limits = [...speeds, maxBandwidthMbps > 0 ? toBytesPerSecond(maxBandwidthMbps) : null];
  const known = limits.filter((limit) => limit !== null);
  return known.length === 0 ? null : Math.min(...known);

  async function speedTo(host: string): Promise<number | null> {
    try {
      const { underlay_address: address } = await greet(config.host.name, peer(host));
      return await routing.linkSpeed((await routing.routeTo(address)).device);
    } catch {
      return null;
    }
  }
}
