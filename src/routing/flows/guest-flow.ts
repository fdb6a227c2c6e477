import type { GuestFlow } from "./flow-table.ts";
import { type FlowTuple, ipProtocol, type TrackedFlow } from "./tracked-flow.ts";

/** What is told for a flow whose end is not known (hardware carries it): as long as the kernel's own default. */
const defaultTimeoutS = { tcp: 432_000, others: 120 };

/**
 * `flow` as the guest with `address` has it: network address translation is undone, on either end. One that the guest
 * has with itself is told as the one that it began. Pure.
 */
export function guestFlow(address: string, flow: TrackedFlow): GuestFlow {
  return flow.original.source === address ? outward(flow) : inward(flow);
}

/**
 * As `guestFlow`, but both flows that the guest has where it asks for itself by an address that its home translates: the
 * one that it began, and the one that home makes of it. Pure.
 */
export function guestFlows(address: string, flow: TrackedFlow): GuestFlow[] {
  const isWithItself = flow.original.source === address && flow.reply.source === address;
  return isWithItself ? [outward(flow), inward(flow)] : [guestFlow(address, flow)];
}

function outward(flow: TrackedFlow): GuestFlow {
  const { destination, destinationPort, sourcePort, icmp } = flow.original;
  const ends = { peer: destination, peerPort: destinationPort, guestPort: sourcePort, icmp };
  return { direction: "out", ...ends, ...knownOf(flow) };
}

/** What answers the peer is what the guest sends: the reverse of it is what the guest gets. */
function inward(flow: TrackedFlow): GuestFlow {
  const { source, sourcePort, destinationPort, icmp } = reversed(flow.reply);
  const ends = { peer: source, peerPort: sourcePort, guestPort: destinationPort, icmp };
  return { direction: "in", ...ends, ...knownOf(flow) };
}

function knownOf(flow: TrackedFlow) {
  const { protocol, state, replied, assured, windowScale, verificationTags } = flow;
  const isTcp = protocol === ipProtocol.tcp;
  return {
    ...{ protocol, state, replied, assured, windowScale },
    timeoutS: flow.expiresS ?? (isTcp ? defaultTimeoutS.tcp : defaultTimeoutS.others),
    ...(verificationTags === null ? {} : { verificationTags }),
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
