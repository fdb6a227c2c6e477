import {
  addressAttribute,
  byteAttribute,
  nestedAttribute,
  networkNumberAttribute,
  networkShortAttribute,
  numberAttribute,
} from "../netlink/attributes.ts";
import type { GuestFlow } from "./flow-table.ts";
import { tuplesOf } from "./guest-flow.ts";
import { protocolInfo } from "./protocol-info.ts";
import { type FlowTuple, ipProtocol, type TrackedFlow } from "./tracked-flow.ts";
import {
  cta,
  ctaFilter,
  ctaIp,
  ctaProtocol,
  ctaTuple,
  filterBySource,
  flowStatus,
  genericHeaderBytes,
  ipv4Family,
} from "./wire.ts";

/** Bits of the connection mark to set; others stay as they are. */
export type FlowMark = number;

/** For `IPCTNL_MSG_CT_NEW` with NLM_F_CREATE: all that the kernel needs to take a flow from its middle on. */
export function encodeNewFlow(address: string, flow: GuestFlow, mark: FlowMark): Buffer {
  const { original, reply } = tuplesOf(address, flow);
  return message([
    encodeTuple(cta.original, flow.protocol, original),
    encodeTuple(cta.reply, flow.protocol, reply),
    networkNumberAttribute(cta.status, statusOf(flow)),
    networkNumberAttribute(cta.timeout, flow.timeoutS),
    ...(mark === 0 ? [] : [networkNumberAttribute(cta.mark, mark)]),
    ...protocolInfo(flow),
  ]);
}

/** What an entry that is there already gets of a flow that is told to be it. */
export interface FlowUpdate {
  /** The entry. */
  found: TrackedFlow;
  flow: GuestFlow;
  mark: FlowMark;
  /** `flow` is further in its life: its state and time-out count. */
  isLater: boolean;
  /** Both say the same of who began it. */
  isSameWay: boolean;
}

/** For `IPCTNL_MSG_CT_NEW` without NLM_F_CREATE. */
export function encodeFlowUpdate({ found, flow, mark, ...it }: FlowUpdate): Buffer {
  // The kernel refuses a status that takes back what it has seen.
  const status = statusOf({
    replied: flow.replied || found.replied,
    assured: flow.assured || found.assured,
    expected: found.expected,
  });
  const { state, windowScale, verificationTags, protocol } = flow;
  return message([
    encodeTuple(cta.original, found.protocol, found.original),
    networkNumberAttribute(cta.status, status),
    ...(it.isLater ? [networkNumberAttribute(cta.timeout, flow.timeoutS)] : []),
    ...(mark === 0
      ? []
      : [networkNumberAttribute(cta.mark, mark), networkNumberAttribute(cta.markMask, mark)]),
    ...protocolInfo({
      ...{ protocol, state: it.isLater ? state : null },
      windowScale: it.isSameWay ? windowScale : null,
      ...(it.isSameWay && verificationTags ? { verificationTags } : {}),
    }),
  ]);
}

/** For `IPCTNL_MSG_CT_GET`: the entry with these ends, in either direction. */
export function encodeFlowQuery(protocol: number, ends: FlowTuple): Buffer {
  return message([encodeTuple(cta.original, protocol, ends)]);
}

/** For `IPCTNL_MSG_CT_DELETE`: this entry, and no later one with the same ends. */
export function encodeFlowRemoval(flow: TrackedFlow): Buffer {
  return message([
    encodeTuple(cta.original, flow.protocol, flow.original),
    networkNumberAttribute(cta.id, Number(flow.id)),
  ]);
}

/**
 * For `IPCTNL_MSG_CT_GET` with NLM_F_DUMP: the entries whose packets of one direction come from `address` (CTA_FILTER,
 * Linux 5.8; older kernels do not know the attribute and list all).
 */
export function encodeFlowFilter(direction: "original" | "reply", address: string): Buffer {
  const source = nestedAttribute(ctaTuple.addresses, [addressAttribute(ctaIp.source, address)]);
  const isOriginal = direction === "original";
  return message([
    nestedAttribute(cta[direction], [source]),
    nestedAttribute(cta.filter, [
      numberAttribute(ctaFilter.originalFlags, isOriginal ? filterBySource : 0),
      numberAttribute(ctaFilter.replyFlags, isOriginal ? 0 : filterBySource),
    ]),
  ]);
}

/** For `IPCTNL_MSG_CT_GET` with NLM_F_DUMP: every entry of IPv4. */
export function encodeWholeDump(): Buffer {
  return message([]);
}

function message(attributes: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(genericHeaderBytes);
  header[0] = ipv4Family;
  return Buffer.concat([header, ...attributes]);
}

function encodeTuple(type: number, protocol: number, tuple: FlowTuple): Buffer {
  const ends = [byteAttribute(ctaProtocol.number, protocol)];
  const { sourcePort, destinationPort, icmp } = tuple;
  if (sourcePort !== null) ends.push(networkShortAttribute(ctaProtocol.sourcePort, sourcePort));
  if (destinationPort !== null) {
    ends.push(networkShortAttribute(ctaProtocol.destinationPort, destinationPort));
  }
  if (protocol === ipProtocol.icmp && icmp !== null) {
    ends.push(networkShortAttribute(ctaProtocol.icmpId, icmp.id));
    ends.push(byteAttribute(ctaProtocol.icmpType, icmp.type));
    ends.push(byteAttribute(ctaProtocol.icmpCode, icmp.code));
  }
  return nestedAttribute(type, [
    nestedAttribute(ctaTuple.addresses, [
      addressAttribute(ctaIp.source, tuple.source),
      addressAttribute(ctaIp.destination, tuple.destination),
    ]),
    nestedAttribute(ctaTuple.protocol, ends),
  ]);
}

/** The kernel wants `confirmed` told: the entry is one, and what is not said is taken back. */
function statusOf(flow: { replied: boolean; assured: boolean; expected?: boolean }): number {
  return (
    flowStatus.confirmed |
    (flow.replied ? flowStatus.seenReply : 0) |
    (flow.assured ? flowStatus.assured : 0) |
    (flow.expected ? flowStatus.expected : 0)
  );
}
