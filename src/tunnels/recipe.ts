import { foreignObject } from "./errors.ts";
import type { Link } from "./inspect.ts";
import type { Step } from "./steps.ts";
import type { TunnelDatapath, TunnelKind, TunnelSpec } from "./tunnel.ts";

/** What a recipe may look at. `links` are all of this host, `underlay` the one that carries the outer packets. */
export interface RecipeContext {
  spec: TunnelSpec;
  name: string;
  underlay: Link;
  mtu: number;
  links: readonly Link[];
  /** The tunnel's own device when it is there already and right; null when it will be made. */
  link: Link | null;
}

/** What differs from one kind of tunnel to another; driver.ts does what is common. */
export interface Recipe {
  kind: TunnelKind;
  datapath: TunnelDatapath;
  /** Bytes that the outer headers take of each packet. */
  overheadBytes: number;
  /** Device kind as `ip link` names it. */
  linkKind: "ipip" | "veth" | "vxlan";
  /** What follows `ip link add name NAME group … mtu …`. */
  linkArguments(context: RecipeContext): string[];
  /** The same for a device that is made only to ask the kernel; `peer` is a free name for a second one. */
  probeArguments(peer: string): string[];
  /** Further questions to the kernel, with the probe device there. */
  probeFurther?(name: string): Promise<void>;
  /** @throws SojournError when the underlay or another object does not allow this tunnel. */
  check?(context: RecipeContext): void;
  /** Steps between the device's creation and its being set up; none for what is there. */
  attach?(context: RecipeContext): Promise<Step[]>;
  /** What has to be on the underlay device before any tunnel, once; see `Tunnels.prepareUnderlay`. */
  prepareUnderlay?(underlay: Link): Promise<void>;
  /** What routes through it name as gateway, and its MAC address; null for a point-to-point device. */
  nextHop(spec: TunnelSpec): { address: string; mac: string } | null;
}

/**
 * The kernel would answer EEXIST without a name, and the BPF path would take the other tunnel's packets.
 * @throws SojournError `SOJ_TUNNEL_FOREIGN` when another device of this kind has the same endpoints.
 */
export function refuseSameEndpoints(context: RecipeContext, kind: string): void {
  const { localAddress, remoteAddress } = context.spec;
  const other = context.links.find(
    ({ name, kind: linkKind, info }) =>
      name !== context.name &&
      linkKind === kind &&
      info.local === localAddress &&
      info.remote === remoteAddress,
  );
  if (other === undefined) return;
  throw foreignObject(`${other.name} is an ${kind} tunnel ${localAddress} to ${remoteAddress}`);
}
