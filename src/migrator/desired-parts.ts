import type { SizeLimit } from "../routing/desired.ts";
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

/** A switch of one device. */
export function sysctl(device: string, name: string, value: string) {
  return { path: `net/ipv4/conf/${device}/${name}`, value };
}
