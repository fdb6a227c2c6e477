import { ourProtocol } from "../routing/desired.ts";
import type { TunnelInterface } from "../tunnels/tunnel.ts";

/** `redirectRoute` as a command line that makes it, or replaces what is in its place. */
export function redirectCommand(address: string, tunnel: TunnelInterface): [string, ...string[]] {
  const via = tunnel.nextHop === null ? [] : ["via", tunnel.nextHop, "onlink"];
  const device = ["dev", tunnel.interfaceName, "proto", String(ourProtocol)];
  return ["ip", "route", "replace", `${address}/32`, ...via, ...device];
}
