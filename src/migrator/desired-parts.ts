import type { SizeLimit, TunnelEnd, TunnelGuests } from "../routing/desired.ts";
import { endMac, networkIdentifier } from "../tunnels/identity.ts";
import type { TunnelInterface, TunnelSpec } from "../tunnels/tunnel.ts";

export type TunnelLookup = (spec: TunnelSpec) => TunnelInterface;

/** What does not fit through the tunnel, whichever of the guest's flows it is of. */
export function sizeLimit(
  direction: SizeLimit["direction"],
  address: string,
  { interfaceName: device, mtu }: TunnelInterface,
): SizeLimit {
  return {
    address,
    device,
    mtu,
    direction,
    elsewhere: [],
    adviseOnly: false,
    redirectedOnly: false,
  };
}

/**
 * What of a guest may come out of a tunnel. `from`: what it sends, at its home and at the source, which never get what is
 * for it that way; `to`: what is for it, where it runs or will.
 */
export function tunnelGuest(
  direction: "from" | "to" | "both",
  address: string,
  { interfaceName: device }: TunnelInterface,
): TunnelGuests {
  return {
    device,
    from: direction === "to" ? [] : [address],
    to: direction === "from" ? [] : [address],
  };
}

/** The outer packets of a tunnel. */
export function tunnelEnd({ spec, datapath }: TunnelInterface): TunnelEnd {
  const vni = spec.kind === "vxlan" ? networkIdentifier(spec) : null;
  return {
    ...{ kind: spec.kind, local: spec.localAddress, remote: spec.remoteAddress },
    ...{ vni, mac: vni === null ? null : endMac(vni, spec.localAddress) },
    takenBelow: datapath === "bpf",
  };
}

/** A switch of one device. */
export function sysctl(device: string, name: string, value: string) {
  return { path: `net/ipv4/conf/${device}/${name}`, value };
}

/** ARP that this host answers for others on `device` is answered at once (ip-sysctl, proxy_delay). */
export function promptProxy(device: string) {
  return { path: `net/ipv4/neigh/${device}/proxy_delay`, value: "0" };
}
