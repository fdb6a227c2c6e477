/** Numbers of IANA's that the kernel tracks in a way of their own. */
export const ipProtocol = { icmp: 1, tcp: 6, udp: 17, sctp: 132 } as const;

/** One direction of a tracked flow; what its protocol does not have, or nobody counted, is null. */
export interface FlowTuple {
  source: string;
  destination: string;
  sourcePort: number | null;
  destinationPort: number | null;
  icmp: { type: number; code: number; id: number } | null;
  packets: number | null;
  bytes: number | null;
}

/** An entry of the kernel's connection tracking. */
export interface TrackedFlow {
  /** The kernel's number of it. */
  id: string;
  /** IANA's protocol number. */
  protocol: number;
  /** Seconds until it is forgotten; null for one that hardware carries. */
  expiresS: number | null;
  /** Of TCP and SCTP, as the kernel calls it; null for protocols without. */
  state: string | null;
  original: FlowTuple;
  /** The packets that answer it, as they arrive: with network address translation not the reverse of `original`. */
  reply: FlowTuple;
  /** Packets have come back. */
  replied: boolean;
  assured: boolean;
  /** Another flow has announced it, as FTP's control connection does its data's. */
  expected: boolean;
  /** Its connection mark. */
  mark: number;
  /** Conntrack zone; 0 where nobody has divided the table. */
  zone: number;
  /** Milliseconds since 1970; null unless the kernel notes it (net.netfilter.nf_conntrack_timestamp). */
  startedMs: number | null;
  /** Of TCP, where the kernel has seen the handshake (RFC 7323): of who began it, and of who answered. */
  windowScale: { original: number; reply: number } | null;
  /** Of SCTP (RFC 9260, 8.5), by the direction in which packets carry them. */
  verificationTags: { original: number; reply: number } | null;
}
