import type { FlowTuple, TrackedFlow } from "../routing/flows/tracked-flow.ts";

type FlowProtocol = "icmp" | "tcp" | "udp" | "gre" | "sctp";

/** By IANA's numbers. */
const names: ReadonlyMap<number, FlowProtocol> = new Map([
  [1, "icmp"],
  [6, "tcp"],
  [17, "udp"],
  [47, "gre"],
  [132, "sctp"],
]);

/** A flow as people are told of it, from the guest's side. */
export interface FlowEnds {
  /** Null for one that has no name here. */
  protocol: FlowProtocol | null;
  /** `ADDRESS:PORT`, as the guest sees it; `ADDRESS` where the protocol has no ports. */
  peer: string;
  guest: string;
  /** The kernel's word, or whether packets came back; null for TCP whose state is not known. */
  state: string | null;
  /** What goes out from the guest, and what comes to it. */
  sent: FlowTuple;
  received: FlowTuple;
}

/** How the kernel sees a flow of the guest's `address`. Pure. */
export function flowEnds(address: string, flow: TrackedFlow): FlowEnds {
  const { original, reply, protocol } = flow;
  const isOut = original.source === address;
  const [sent, received] = isOut ? [original, reply] : [reply, original];
  return {
    protocol: names.get(protocol) ?? null,
    peer: destinationOf(sent),
    guest: sourceOf(sent),
    state: stateOf(flow),
    ...{ sent, received },
  };
}

/** The end that a direction's packets come from. Pure. */
export function sourceOf({ source, sourcePort }: FlowTuple): string {
  return endOf(source, sourcePort);
}

/** The end that a direction's packets go to. Pure. */
export function destinationOf({ destination, destinationPort }: FlowTuple): string {
  return endOf(destination, destinationPort);
}

function endOf(address: string, port: number | null): string {
  return port === null ? address : `${address}:${port}`;
}

function stateOf({ protocol, state, replied }: TrackedFlow): string | null {
  if (state !== null || protocol === 6) return state;
  return replied ? "REPLIED" : "UNREPLIED";
}
