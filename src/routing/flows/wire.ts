import { ipProtocol } from "./tracked-flow.ts";

/** Message types of linux/netfilter/nfnetlink_conntrack.h, of the subsystem NFNL_SUBSYS_CTNETLINK. */
export const FlowMessage = { new: 0x100, get: 0x101, delete: 0x102 } as const;

/** `struct nfgenmsg` of linux/netfilter/nfnetlink.h: family, version, resource. */
export const genericHeaderBytes = 4;
export const ipv4Family = 2;

/** CTA_… */
export const cta = {
  original: 1,
  reply: 2,
  status: 3,
  protocolInfo: 4,
  timeout: 7,
  mark: 8,
  countersOriginal: 9,
  countersReply: 10,
  id: 12,
  zone: 18,
  timestamp: 20,
  markMask: 21,
  filter: 25,
} as const;

/** CTA_TUPLE_…, CTA_IP_…, CTA_PROTO_… */
export const ctaTuple = { addresses: 1, protocol: 2, zone: 3 } as const;
export const ctaIp = { source: 1, destination: 2 } as const;
export const ctaProtocol = {
  number: 1,
  sourcePort: 2,
  destinationPort: 3,
  icmpId: 4,
  icmpType: 5,
  icmpCode: 6,
} as const;

/** CTA_PROTOINFO_…, CTA_PROTOINFO_TCP_…, CTA_PROTOINFO_SCTP_… */
export const ctaInfo = { tcp: 1, sctp: 3 } as const;
export const ctaTcp = {
  state: 1,
  scaleOriginal: 2,
  scaleReply: 3,
  flagsOriginal: 4,
  flagsReply: 5,
} as const;
export const ctaSctp = { state: 1, tagOriginal: 2, tagReply: 3 } as const;

/** CTA_COUNTERS_…, CTA_TIMESTAMP_…, CTA_FILTER_… */
export const ctaCounters = { packets: 1, bytes: 2 } as const;
export const ctaTimestamp = { start: 1 } as const;
export const ctaFilter = { originalFlags: 1, replyFlags: 2 } as const;
/** `CTA_FILTER_F_CTA_IP_SRC` (net/netfilter/nf_internals.h), in the host's byte order. */
export const filterBySource = 1;

/** IPS_… of linux/netfilter/nf_conntrack_common.h. */
export const flowStatus = { expected: 1, seenReply: 2, assured: 4, confirmed: 8 } as const;

/** IP_CT_TCP_FLAG_… of linux/netfilter/nf_conntrack_tcp.h. */
export const tcpFlag = { windowScale: 1, sackPermitted: 2, closeInit: 4, beLiberal: 8 } as const;

/** By their numbers in the kernel, as /proc/net/nf_conntrack prints them. */
export const statesOf: ReadonlyMap<number, readonly string[]> = new Map([
  [
    ipProtocol.tcp,
    [
      ...["NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT"],
      ...["LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2"],
    ],
  ],
  [
    ipProtocol.sctp,
    [
      ...["NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT"],
      ...["SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT", "HEARTBEAT_ACKED"],
    ],
  ],
]);
