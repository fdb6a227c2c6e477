import { createHash, randomUUID } from "node:crypto";
import { checkIPv4, derivedMac, interfaceName, isOurInterface } from "../platform/names.ts";
import { unusableSpec } from "./errors.ts";
import type { TunnelSpec } from "./tunnel.ts";

/** Link group (IFLA_GROUP) set when a tunnel device is made, so that no moment exists in which it lacks our mark. */
export const linkGroup = 183;
/**
 * Protocol number (NDA_PROTOCOL) of the neighbour entries on tunnel devices. Not the one of src/routing, which
 * removes every entry with its own number that it was not asked for.
 */
export const neighbourProtocol = 185;

/** @throws SojournError `SOJ_BAD_ADDRESS` or `SOJ_TUNNEL_SPEC` unless both ends are different IPv4 addresses. */
export function checkSpec(spec: TunnelSpec): TunnelSpec {
  checkIPv4("local end of the tunnel", spec.localAddress);
  checkIPv4("remote end of the tunnel", spec.remoteAddress);
  if (spec.localAddress === spec.remoteAddress) {
    throw unusableSpec(`both ends of the tunnel are ${spec.localAddress}`);
  }
  return spec;
}

/** Name of the tunnel's interface, the same on every run. */
export function tunnelName(spec: TunnelSpec): string {
  return interfaceName("t", identityOf(spec));
}

/** Name of the idle end of the veth pair that carries the BPF data path. */
export function idlePeerName(spec: TunnelSpec): string {
  return interfaceName("x", identityOf(spec));
}

/** Names of the devices (the second for a veth's other end) that are made only to ask the kernel. */
export function probeNames(): [string, string] {
  const identity = randomUUID();
  return [interfaceName("y", identity), interfaceName("z", identity)];
}

/** True for the first of the names that `probeNames` gives; a veth's other end goes with it. */
export function isProbeName(name: string): boolean {
  return isOurInterface(name) && name.startsWith("sjy");
}

/** True for names that `tunnelName` gives. */
export function isTunnelName(name: string): boolean {
  return isOurInterface(name) && name.startsWith("sjt");
}

/** Handle (1 to 2^28 − 1) of the tunnel's filter on the underlay device, derived from the interface name. */
export function filterHandle(name: string): string {
  return `0x${(Number.parseInt(name.slice(3, 10), 16) || 1).toString(16)}`;
}

/** VXLAN network identifier (RFC 7348: 24 bits) that both ends derive alike; never 0. */
export function networkIdentifier(spec: TunnelSpec): number {
  const ends = [spec.localAddress, spec.remoteAddress].sort().join(" ");
  return createHash("sha256").update(`vxlan ${ends}`).digest().readUIntBE(0, 3) || 1;
}

/** MAC address of the VXLAN end with this underlay address; each end can compute the other's. */
export function endMac(vni: number, underlayAddress: string): string {
  return derivedMac(`vxlan ${vni} ${underlayAddress}`);
}

function identityOf(spec: TunnelSpec): string {
  return `${spec.kind} ${spec.localAddress} ${spec.remoteAddress}`;
}
