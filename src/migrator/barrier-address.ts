import type { TrackedFlow } from "../routing/flows/tracked-flow.ts";

/** Of the range for measurements (RFC 2544, C.2.2): where a migration's barrier asks from; it differs between them. */
export function barrierAddressOf(id: string): string {
  const hash = hashOf(id);
  return `198.${18 + (hash & 1)}.${(hash >>> 1) & 0xff}.${1 + ((hash >>> 9) % 254)}`;
}

/**
 * Whether a flow is a readiness barrier's, by its protocol and the end that is not the guest's: Sojourn's own, which nobody
 * else is told of. The kernel remembers it for half a minute. Pure.
 */
export function isBarrierFlow({ protocol, peer }: { protocol: number; peer: string }): boolean {
  return protocol === 1 && (peer.startsWith("198.18.") || peer.startsWith("198.19."));
}

/** The same of what this host tracks: nobody begins a barrier's flow but the barrier. Pure. */
export function isTrackedBarrier({ protocol, original }: TrackedFlow): boolean {
  return isBarrierFlow({ protocol, peer: original.source });
}

/** ICMP identifier of a migration's echo requests; never 0. Pure. */
export function barrierIdentifier(id: string): number {
  return 1 + (hashOf(id) % 0xffff);
}

function hashOf(id: string): number {
  let hash = 0;
  for (const character of id) hash = (hash * 31 + character.charCodeAt(0)) >>> 0;
  return hash;
}
