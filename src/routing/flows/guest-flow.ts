import type { GuestFlow } from "./flow-table.ts";
import { type FlowTuple, ipProtocol, type TrackedFlow } from "./tracked-flow.ts";

/** What is told for a flow whose end is not known (hardware carries it): as long as the kernel's own default. */
const defaultTimeoutS = { tcp: 432_000, others: 120 };

/**
 * `flow` as the guest with `address` has it: network address translation is undone, on either end. A flow between two
 * ends that are both the guest is told as the one that it began. Pure.
 */
export function guestFlow(address: string, flow: TrackedFlow): GuestFlow {
  const isOut = flow.original.source === address;
  const { protocol, reply } = flow;
  // What answers the peer is what the guest sends: the reverse of it is what the guest gets.
  const asked = isOut ? flow.original : reversed(reply);
  const [peer, peerPort] = isOut
    ? [asked.destination, asked.destinationPort]
    : [asked.source, asked.sourcePort];
  const isTcp = protocol === ipProtocol.tcp;
  return {
    protocol,
    direction: isOut ? "out" : "in",
    peer,
    peerPort,
    guestPort: isOut ? asked.sourcePort : asked.destinationPort,
    icmp: asked.icmp,
    state: flow.state,
    replied: flow.replied,
    assured: flow.assured,
    timeoutS: flow.expiresS ?? (isTcp ? defaultTimeoutS.tcp : defaultTimeoutS.others),
    windowScale: flow.windowScale,
    ...(flow.verificationTags === null ? {} : { verificationTags: flow.verificationTags }),
  };
}

/** Both directions of a guest's flow where nothing is translated. */
export function tuplesOf(
  address: string,
  flow: GuestFlow,
): { original: FlowTuple; reply: FlowTuple } {
  const guest = { address, port: flow.guestPort };
  const peer = { address: flow.peer, port: flow.peerPort };
  const [from, to] = flow.direction === "out" ? [guest, peer] : [peer, guest];
  const original: FlowTuple = {
    ...{ source: from.address, destination: to.address },
    ...{ sourcePort: from.port, destinationPort: to.port },
    ...{ icmp: flow.icmp, packets: null, bytes: null },
  };
  return { original, reply: reversed(original) };
}

/** Packets of `flow` come from `address`: it began it, or answers. */
export function isFlowOf(address: string, { original, reply }: TrackedFlow): boolean {
  return original.source === address || reply.source === address;
}

/** Both have the same ends, whoever began it. */
export function isSameFlow(one: GuestFlow, other: GuestFlow): boolean {
  const keys = ["protocol", "peer", "peerPort", "guestPort"] as const;
  return keys.every((key) => one[key] === other[key]) && one.icmp?.id === other.icmp?.id;
}

function reversed(tuple: FlowTuple): FlowTuple {
  return {
    source: tuple.destination,
    destination: tuple.source,
    sourcePort: tuple.destinationPort,
    destinationPort: tuple.sourcePort,
    icmp: tuple.icmp === null ? null : answerTo(tuple.icmp),
    packets: null,
    bytes: null,
  };
}

/** What answers what (RFC 792, RFC 950): echo, timestamp, information, address mask. */
const icmpPairs = [
  [8, 0],
  [13, 14],
  [15, 16],
  [17, 18],
] as const;

function answerTo<Message extends { type: number }>(message: Message): Message {
  const pair = icmpPairs.find((types) => types.some((type) => type === message.type));
  if (pair === undefined) return message;
  return { ...message, type: message.type === pair[0] ? pair[1] : pair[0] };
}
