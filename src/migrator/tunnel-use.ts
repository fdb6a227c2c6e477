import type { TunnelSpec } from "../tunnels/tunnel.ts";
import { tunnelKey } from "./network.ts";
import type { GuestRecord } from "./records.ts";

/** A tunnel that guests' records ask for on this host, and who needs it. */
export interface TunnelUse {
  spec: TunnelSpec;
  /** The host at its other end, where a record tells. */
  remoteHost: string | null;
  guests: string[];
}

/** The tunnels that the records need, each once. Pure. */
export function tunnelUses(records: readonly GuestRecord[]): TunnelUse[] {
  const uses = new Map<string, TunnelUse>();
  for (const record of records) {
    const peer = record.migration?.peer ?? null;
    const needed = [
      { spec: record.hosting?.homeTunnel, host: record.home.host },
      { spec: record.hosting?.sourceTunnel, host: peer },
      ...[record.redirect, record.redirect?.next, record.redirect?.previous].map((way) => ({
        spec: way?.tunnel,
        host: way?.host ?? null,
      })),
      { spec: record.outgoing?.tunnel, host: peer },
    ];
    for (const { spec, host } of needed) {
      if (!spec) continue;
      const key = tunnelKey(spec);
      const use = uses.get(key) ?? { spec, remoteHost: host, guests: [] };
      use.remoteHost ??= host;
      if (!use.guests.includes(record.guest)) use.guests.push(record.guest);
      uses.set(key, use);
    }
  }
  return [...uses.values()];
}
