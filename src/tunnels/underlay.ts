import { noUnderlay } from "./errors.ts";
import { linkGroup } from "./identity.ts";
import { type Link, readRoute } from "./inspect.ts";
import type { Run } from "./steps.ts";
import type { TunnelSpec } from "./tunnel.ts";

/** Least inner MTU in bytes that every IPv4 host must be able to receive (RFC 791). */
const smallestMtu = 576;

/**
 * The device that carries the tunnel's outer packets, as the kernel routes them now.
 * @throws SojournError `SOJ_TUNNEL_UNDERLAY`
 */
export async function findUnderlay(
  run: Run,
  spec: Pick<TunnelSpec, "localAddress" | "remoteAddress">,
  links: readonly Link[],
): Promise<Link> {
  const path = `${spec.localAddress} to ${spec.remoteAddress}`;
  const route = await readRoute(run, spec.localAddress, spec.remoteAddress).catch((error) => {
    throw noUnderlay(`there is no route from ${path}`, error);
  });
  if (route === null || route.type !== "unicast") {
    throw noUnderlay(`the route from ${path} is ${route?.type ?? "missing"}, not unicast`);
  }
  const link = links.find(({ name }) => name === route.dev);
  if (link === undefined)
    throw noUnderlay(`the route from ${path} uses ${route.dev}, which is gone`);
  if (link.group === String(linkGroup)) {
    throw noUnderlay(`the route from ${path} leads into the tunnel ${link.name}`);
  }
  return link;
}

/**
 * Largest inner packet in bytes.
 * @throws SojournError `SOJ_TUNNEL_UNDERLAY` when hardly anything would fit.
 */
export function innerMtu(underlay: Link, overheadBytes: number): number {
  const mtu = underlay.mtu - overheadBytes;
  if (mtu >= smallestMtu) return mtu;
  throw noUnderlay(`the MTU of ${underlay.name}, ${underlay.mtu} bytes, is too small for a tunnel`);
}
