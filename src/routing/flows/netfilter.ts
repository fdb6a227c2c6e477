import { Protocol } from "netlink";
import { NetlinkClient, type NetlinkOptions } from "../netlink/client.ts";

/** Connection tracking (nfnetlink, linux/netfilter/nfnetlink_conntrack.h). */
export class NetfilterNetlink extends NetlinkClient {
  constructor(options: NetlinkOptions = {}) {
    super(Protocol.NETFILTER, { receiveBufferBytes, ...options });
  }
}

/** What `perDatagram` needs at most, twice. */
const receiveBufferBytes = 212_992;

/** So many messages have their refusals, and so many questions their answers, room in a socket's receive buffer. */
export const perDatagram = { changes: 64, questions: 24 } as const;
