import type { TrackedFlow } from "./tracked-flow.ts";

/**
 * A flow of a guest as the guest itself sees it: addresses that its home translates are none of its own. What one host
 * tells another of it.
 */
export interface GuestFlow {
  /** IANA's protocol number. */
  protocol: number;
  /** Who began it: a peer (`in`) or the guest (`out`). */
  direction: "in" | "out";
  peer: string;
  /** Null for protocols without ports. */
  peerPort: number | null;
  guestPort: number | null;
  /** Of the first message; null for other protocols. */
  icmp: { type: number; code: number; id: number } | null;
  /** Of TCP and SCTP, as the kernel calls it; null for others. */
  state: string | null;
  /** Packets have come back. */
  replied: boolean;
  assured: boolean;
  /** Seconds until the kernel forgets it if nothing comes. */
  timeoutS: number;
  /** Of TCP, where the kernel has seen the handshake (RFC 7323): of who began it, and of who answered. */
  windowScale: { original: number; reply: number } | null;
  /** Of SCTP, by the direction in which packets carry them; absent for others. */
  verificationTags?: { original: number; reply: number };
}

/** What has become of flows that were to be installed. */
export interface InstalledFlows {
  installed: number;
  /** Those that the kernel tracks already: nothing lost. */
  present: number;
  /** By the kernel's errno, e.g. `ENOMEM` for a full table. */
  refused: Record<string, number>;
}

/** This host's connection tracking (nf_conntrack), of one guest at a time. */
export interface FlowTable extends Disposable {
  /** False when the kernel tracks nothing in this network namespace: no rule asks for it, or it cannot. */
  isTracking(): Promise<boolean>;
  /**
   * Every flow from or to `address`, however many, also those behind network address translation. Gives way to the
   * event loop every few milliseconds.
   * @throws SojournError `SOJ_FLOWS_UNTRACKED`, `SOJ_NETLINK_…`.
   */
  read(address: string): Promise<TrackedFlow[]>;
  /**
   * Makes the kernel track `flows` of `address` from their middle on, so that a stateful firewall takes their packets for
   * what they are. Window checks are liberal for them (nf_conntrack_tcp_be_liberal, but for these flows only).
   * @param redirected they keep the way through home (`redirectMark`).
   * @throws SojournError `SOJ_NETLINK_…` when the kernel does not answer; what it refuses is counted instead.
   */
  install(
    address: string,
    flows: readonly GuestFlow[],
    options: { redirected: boolean },
  ): Promise<InstalledFlows>;
  /** Makes the kernel forget these. Returns how many it knew still. */
  forget(flows: readonly TrackedFlow[]): Promise<number>;
}
