import type { PlanLine } from "../platform/plan-line.ts";
/** Route protocol number (RTA_PROTOCOL, FRA_PROTOCOL, NDA_PROTOCOL) that marks every object as ours. */
export const ourProtocol = 183;
/** Protocol number of short-lived objects (the readiness barrier), which `apply` leaves alone. */
export const temporaryProtocol = 184;
/** Rules of ours have priorities in this band (`main` is 32766). */
export const rulePriorities = {
  ...{ barrier: 18300, incoming: 18310, renumbered: 18315 },
  ...{ direct: 18316, sibling: 18318, lan: 18319, source: 18320 },
} as const;
/** Table that only `iif TUNNEL` reaches: routes to guests that are prepared but do not run here yet. */
export const incomingTable = 18300;
/** Source-routing tables of guests that are away from home are `sourceTableBase + index`. */
export const sourceTableBase = 18310;
/** Tables of LANs whose gateway is another machine are `lanTableBase + index` of the guest network: at most 256. */
export const lanTableBase = 18000;
/** The kernel's own (RT_TABLE_MAIN of linux/rtnetlink.h). */
export const mainTable = 254;
/**
 * Bit of the connection mark, and of the packet mark derived from it, of flows of a renumbered guest that keep the way
 * through home. No other bit of a connection's mark is ever read or written.
 */
export const redirectMark = 0x0080_0000;
/**
 * Bit of the packet mark of whatever comes from a renumbered guest or is for it: which of several guests of one address is
 * meant, since the old one of such a guest may be given to another.
 */
export const renumberedMark = 0x0100_0000;
/** nftables tables of ours, in families `ip` and `bridge`. */
export const nftTable = "sojourn";

export interface Bridge {
  name: string;
  /** Null for one of its own, the same on every run. */
  mac: string | null;
}

export interface Tap {
  name: string;
  bridge: string;
  /** Packets the tap holds at least while QEMU does not read it; a longer queue is left as it is. */
  txQueueLength: number;
}

export interface Route {
  table: number;
  /** `10.1.0.10/32` or `default`. */
  prefix: string;
  /** `unreachable`: senders are told so. */
  type: "unicast" | "throw" | "unreachable";
  /** Null for all but `unicast`. */
  device: string | null;
  /** Gateway, always with `onlink`; null for none. */
  via: string | null;
  /** Route MTU in bytes (`mtu` metric); null for the device's. */
  mtu: number | null;
}

export interface Rule {
  priority: number;
  table: number;
  iif: string | null;
  /** CIDR or null. */
  from: string | null;
  to: string | null;
  /** Absent: whatever the packet's mark. */
  mark?: PacketMark;
  /** Of what the table knows only routes to single addresses count (ip-rule(8), suppress_prefixlength 31). */
  hostRoutesOnly?: true;
}

/** Of a packet's mark the bits of `mask` are those of `value`. */
export interface PacketMark {
  value: number;
  mask: number;
}

/** `permanent`: NUD_PERMANENT with `mac`. `proxy`: we answer ARP for `address` on `device`. */
export type Neighbour =
  | { kind: "permanent"; device: string; address: string; mac: string }
  | { kind: "proxy"; device: string; address: string };

/** A static entry of the bridge's table: `mac` is behind `device` (a port of ours). */
export interface FdbEntry {
  device: string;
  mac: string;
}

/** `/proc/sys/…` path with dots or slashes resolved by name, e.g. `net/ipv4/conf/sjb0/proxy_arp`. */
export interface Sysctl {
  path: string;
  value: string;
  /** Passed over where the kernel does not have it (yet: some come with a module that our tables load). */
  ifThere?: true;
}

/** Content of our nftables tables. */
export interface Filter {
  tunnelGuests: TunnelGuests[];
  tunnelEnds: TunnelEnd[];
  /**
   * Frames of the guest behind `tap` to any unicast MAC (its old gateway's, its neighbours') are given `bridge`'s MAC and
   * packet type host, so that this host routes them; with `only` just those to `mac` with packets for `prefix`, not `except`.
   */
  gatewayFrames: { tap: string; bridge: string; only?: MisledFrames }[];
  /**
   * Frames that neighbours on `bridge` send to the guest's `mac` are routed by this host instead, since the guest
   * is away: neighbours keep their ARP entries. `ipv4Only`: the guest is still there, and only about to be away, so that
   * other frames, such as what it asks its neighbours by ARP, go on as they did.
   */
  guestFrames: { bridge: string; mac: string; ipv4Only?: true }[];
  /**
   * Prepared copies: once `address` is armed, each packet to it that leaves this host is also
   * sent through `device` (`nft dup` in postrouting, priority 150).
   */
  copies: { address: string; device: string; gateway: string }[];
  sizeLimits: SizeLimit[];
  /** The kernel tracks this network namespace's connections (nf_conntrack), which it does where a rule asks for it. */
  tracking: boolean;
  renumbered: Renumbering[];
}

type MisledFrames = Record<"mac" | "prefix" | "except", string>;

/** Of what comes out of `device` only packets from `from` or to `to` (IPv4) pass; the rest is dropped and counted. */
export interface TunnelGuests {
  device: string;
  from: string[];
  to: string[];
}

/** A tunnel by its outer packets: those that are no peer's are counted, and none is taken out of its wrapping. */
export interface TunnelEnd {
  kind: "ipip" | "vxlan";
  local: string;
  remote: string;
  /** VXLAN's network identifier; null for other kinds. */
  vni: number | null;
  /** MAC address of the device here, to which VXLAN's inner frames go; null for other kinds. */
  mac: string | null;
  /** Its sound outer packets never reach the IP layer: a BPF program takes them before. */
  takenBelow: boolean;
}

/**
 * A guest that the world knows by two addresses: flows that begin here use `address`, which this host translates; those
 * of `guest`, the address that it has itself, carry `redirectMark`.
 */
export interface Renumbering {
  guest: string;
  address: string;
  /** The guest's own. */
  bridge: string;
  tap: string;
  /** Devices of the tunnels through which flows of `guest` come and go. */
  tunnels: string[];
  /** `guest` is somebody else's address by now: of it nothing but flows that are tracked is for this guest. */
  retired: boolean;
}

/**
 * Packets to or from a guest (`address`) take the tunnel `device`, or will soon, which carries `mtu` bytes. Larger
 * ones get through in fragments and their senders are told; new TCP sessions are given segments that fit.
 */
export interface SizeLimit {
  address: string;
  device: string;
  /** Bytes. */
  mtu: number;
  direction: "to" | "from";
  /** Prefixes to which the guest's packets do not take the tunnel. */
  elsewhere: string[];
  /** Senders are told, but their packets, which do not take the tunnel yet, stay as they are. */
  adviseOnly: boolean;
  /** Of the guest's flows only those with `redirectMark` take the tunnel. */
  redirectedOnly: boolean;
}

/** Everything of ours that should be in this host's kernel, tunnels apart. Order does not matter. */
export interface DesiredState {
  bridges: Bridge[];
  taps: Tap[];
  routes: Route[];
  rules: Rule[];
  neighbours: Neighbour[];
  fdb: FdbEntry[];
  sysctls: Sysctl[];
  filter: Filter;
}

/** Nothing of ours: what a host has that knows no guest. */
export const emptyDesiredState: DesiredState = {
  bridges: [],
  taps: [],
  routes: [],
  rules: [],
  neighbours: [],
  fdb: [],
  sysctls: [],
  filter: {
    ...{ tunnelGuests: [], tunnelEnds: [], gatewayFrames: [], guestFrames: [], copies: [] },
    ...{ sizeLimits: [], tracking: false, renumbered: [] },
  },
};

/** Packets that a device has sent (a tap: to its guest), and those that it had no room for. */
export interface LinkCounters {
  txPackets: number;
  txBytes: number;
  txDropped: number;
}

/** The readiness barrier's end on one host. Disposing removes all of it. */
/** A temporary route to the asking end, where the final routes do not lead there; null where they do. */
export type BarrierReturn = {
  barrierAddress: string;
  device: string;
  via: string | null;
  table: number;
} | null;

export interface BarrierEnd extends AsyncDisposable {
  namespace: string;
}

/** The room's door: this host's kernel state, kept as desired. */
export interface RoutingPlane extends AsyncDisposable {
  /** Reads the kernel, makes what is missing (adds before deletes), removes what is ours and not desired, re-reads. */
  apply(desired: DesiredState): Promise<{ made: string[]; removed: string[] }>;
  /** What `apply` would do, changing nothing. */
  plan(desired: DesiredState): Promise<PlanLine[]>;
  /** Adds or replaces one route over the warm netlink socket; for the switchover (no process start). */
  replaceRoute(route: Route): Promise<void>;
  /** Removes one route over the warm netlink socket; nothing when it is not there. */
  deleteRoute(route: Route): Promise<void>;
  /** Resolves device names in advance so that `replaceRoute` needs one request only. */
  warm(devices: readonly string[]): Promise<void>;
  /**
   * Starts copying packets for `address` (must be in `filter.copies`). Carried out in the order of the calls, with
   * `disarm` and `apply`: a later one undoes it also when nobody waits for this one.
   */
  arm(address: string): Promise<void>;
  disarm(address: string): Promise<void>;
  linkMtu(device: string): Promise<number | null>;
  /** What went out of a device so far; null when there is none. */
  linkCounters(device: string): Promise<LinkCounters | null>;
  /** Bytes per second that the hardware behind a device carries; null where there is none, or it does not say. */
  linkSpeed(device: string): Promise<number | null>;
  /** Packets of tunnels that were refused since this plane was opened, by reason. @throws SojournError */
  refusedPackets(): Promise<Record<"inner_address" | "outer_address" | "malformed", number>>;
  /** Raises a device's transmit queue to `length` packets over netlink; a longer one stays. */
  lengthenQueue(device: string, length: number): Promise<void>;
  /** Throws away what waits in a tap's queue. @throws SojournError */
  emptyQueue(device: string): Promise<void>;
  /** Puts a frame that nobody needs into the tap of a guest that does not run yet (prime-tap.ts). @throws SojournError, CommandError */
  primeTap(device: string, mac: string): Promise<void>;
  /** The local address and device that this host uses to reach `address`. */
  routeTo(address: string): Promise<{ device: string; sourceAddress: string }>;
  /** MAC address of a link; null when there is none. */
  linkMac(device: string): Promise<string | null>;
  /** MAC address of the machine that has `address` on `device`'s network; null when it does not answer within 3.5 s. */
  neighbourMac(device: string, address: string): Promise<string | null>;
  /** The machines on a device's network that have answered this host, as far as it remembers them. */
  knownNeighbours(device: string): Promise<{ address: string; mac: string }[]>;
  /** Who has `address` already, as the end of a sentence (address-user.ts); null for nobody. Changes nothing that stays. */
  addressUser(device: string, address: string): Promise<string | null>;

  /**
   * Barrier, replying end: a namespace with the guest's address and MAC on a port of `bridge`, reached by the
   * final routes; answers ICMP echo by itself. `returnRoute` (temporary) leads replies into the tunnel when the
   * final source routing would not (return home).
   */
  openBarrierResponder(options: {
    id: string;
    guestAddress: string;
    guestMac: string;
    bridge: string;
    /** The guest's subnet prefix length is irrelevant: the namespace has only a default route on this link. */
    returnRoute: BarrierReturn;
  }): Promise<BarrierEnd>;
  /** Barrier, asking end: a namespace with `barrierAddress` whose packets to the guest are forwarded into the tunnel. */
  openBarrierProber(options: {
    id: string;
    barrierAddress: string;
    guestAddress: string;
    tunnelDevice: string;
    via: string | null;
  }): Promise<BarrierEnd>;
  /**
   * Sends echo requests of exactly `packetBytes` (IP length, DF set) carrying `nonceHex` (≤ 16 bytes) from the
   * prober's namespace, with ICMP's `identifier` (1 to 65535; ping's own choice without); true when at least one came
   * back whole.
   */
  probeThroughBarrier(
    end: BarrierEnd,
    options: {
      guestAddress: string;
      packetBytes: number;
      nonceHex: string;
      timeoutMs: number;
      identifier?: number;
    },
  ): Promise<boolean>;
}
