import type { Route, Rule } from "./desired.ts";

export interface KernelLink {
  index: number;
  name: string;
  /** `bridge`, `tun`, `veth`, …; null for physical devices. */
  kind: string | null;
  mac: string | null;
  mtu: number;
  up: boolean;
  /** The bridge that it is a port of. */
  master: string | null;
  txQueueLength: number;
  /** Whether the bridge learns from this port; null for what is no bridge port. */
  learning: boolean | null;
}

/** An IPv4 address of a device. */
export interface KernelAddress {
  device: string;
  address: string;
}

export interface KernelRoute extends Route {
  protocol: number;
  metric: number;
  /** Has something that `Route` cannot say (several next hops, type of service, another type). */
  unusual: boolean;
}

export interface KernelRule extends Rule {
  protocol: number;
  /** Has something that `Rule` cannot say (ports, inversion, an action other than a lookup). */
  unusual: boolean;
}

export interface KernelNeighbour {
  device: string;
  address: string;
  mac: string | null;
  proxy: boolean;
  permanent: boolean;
  protocol: number;
}

export interface KernelFdbEntry {
  device: string;
  bridge: string;
  mac: string;
  /** `local`: the bridge's own; `static`: configured; `learned`: from traffic. */
  kind: "local" | "static" | "learned";
}

/** One of our nftables tables as it is loaded. */
export interface LoadedTable {
  /** Digest of the content it was generated from; null when somebody else wrote or changed it. */
  digest: string | null;
  /** As `nft list table` prints it. */
  listing: string;
}

/** What this room reads of one network namespace. */
export interface KernelState {
  /** False where the kernel has no IPv6 or was started without it. */
  hasIpv6: boolean;
  links: KernelLink[];
  addresses: KernelAddress[];
  routes: KernelRoute[];
  rules: KernelRule[];
  neighbours: KernelNeighbour[];
  fdb: KernelFdbEntry[];
  /** Values of the sysctls asked for; null for what does not exist. */
  sysctls: Map<string, string | null>;
  tables: { ip: LoadedTable | null; bridge: LoadedTable | null };
}
