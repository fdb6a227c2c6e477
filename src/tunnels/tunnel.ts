import type { PlanLine } from "../platform/plan-line.ts";
/** Tunnel kinds that can be asked for; `auto` picks the best that the kernel can do. */
export const tunnelKinds = ["ipip", "vxlan"] as const;
export type TunnelKind = (typeof tunnelKinds)[number];

/** Two data paths with one wire format exist for `ipip`. */
export type TunnelDatapath = "kernel" | "bpf";

/** A tunnel between two hosts' underlay addresses (IPv4, dotted). Both ends derive the rest from it. */
export interface TunnelSpec {
  kind: TunnelKind;
  localAddress: string;
  remoteAddress: string;
}

/** A tunnel as routing needs to know it. */
export interface TunnelInterface {
  spec: TunnelSpec;
  interfaceName: string;
  datapath: TunnelDatapath;
  /** Largest inner packet in bytes. */
  mtu: number;
  /** Gateway to name in routes through it (with `onlink`); null for point-to-point devices. */
  nextHop: string | null;
  /** MAC address of `nextHop`; null where there is none. */
  nextHopMac: string | null;
}

/** How one kind is made on this kernel. All methods are idempotent. */
export interface TunnelDriver {
  readonly kind: TunnelKind;
  readonly datapath: TunnelDatapath;
  /** Asks the kernel (by making and removing a device), never by version. */
  probe(): Promise<{ supported: boolean; reason: string | null }>;
  /** Pure apart from reading routes/links: what `ensure` would do. */
  plan(spec: TunnelSpec): Promise<PlanLine[]>;
  /** The interface that `ensure` would return, without making it. */
  describe(spec: TunnelSpec): Promise<TunnelInterface>;
  /**
   * Makes the tunnel, or adopts it when it is ours and right. Half-made objects are removed on failure.
   * @throws SojournError `SOJ_TUNNEL_…`; a foreign object in the way is refused, never touched.
   */
  ensure(spec: TunnelSpec): Promise<TunnelInterface>;
  /** Removes what `ensure` made, but for what `prepareUnderlay` would make; nothing when there is nothing. */
  remove(spec: TunnelSpec): Promise<void>;
  /** @throws SojournError `SOJ_TUNNEL_UNDERLAY` */
  prepareUnderlay(localAddress: string, remoteAddress: string): Promise<void>;
}

/** The room's door. */
export interface Tunnels {
  /** @throws SojournError `SOJ_TUNNEL_UNSUPPORTED` naming each kind's reason. */
  choose(kind: TunnelKind | "auto"): Promise<{ kind: TunnelKind; datapath: TunnelDatapath }>;
  plan(spec: TunnelSpec): Promise<PlanLine[]>;
  /** The interface that `ensure` would return, without making it. */
  describe(spec: TunnelSpec): Promise<TunnelInterface>;
  ensure(spec: TunnelSpec): Promise<TunnelInterface>;
  remove(spec: TunnelSpec): Promise<void>;
  /**
   * Makes what `ipip` tunnels need on the device that leads to `remoteAddress`, and what costs packets of everybody
   * on that device when it is made: at the daemon's start, not in a migration. It stays for good, for its removal
   * costs packets too. Nothing where the kernel has its own `ipip` device.
   * @throws SojournError `SOJ_TUNNEL_UNSUPPORTED`, `SOJ_TUNNEL_UNDERLAY`.
   */
  prepareUnderlay(localAddress: string, remoteAddress: string): Promise<void>;
  /** Names of the interfaces on this host that carry our mark for tunnels. */
  list(): Promise<string[]>;
  /** Removes a tunnel of ours by its interface name (leftover of a crash). */
  removeByName(interfaceName: string): Promise<void>;
  /** Removes what questions to the kernel (`choose`, `support`) left when their daemon died. Only before the first one. */
  removeProbeLeftovers(): Promise<void>;
  /** What each driver says of this kernel, for `doctor`. */
  support(): Promise<
    { kind: TunnelKind; datapath: TunnelDatapath; supported: boolean; reason: string | null }[]
  >;
}
