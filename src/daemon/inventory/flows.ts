import type { FlowPath } from "../../migrator/flow-path.ts";
import type { FlowTuple, TrackedFlow } from "../../routing/flows/tracked-flow.ts";
import type { FlowSummary } from "./schemas.ts";

/** What is told of a guest's flows beside what the kernel tells of each. */
export interface FlowPlace {
  guest: string;
  host: string;
  /** The guest's, as the guest has it. */
  address: string;
  pathOf: (flow: TrackedFlow) => FlowPath;
  /** For how long nothing has come. */
  idleMs: (flow: TrackedFlow) => number;
  /** Since 1970. */
  nowMs: number;
}

const names: ReadonlyMap<number, FlowSummary["protocol"]> = new Map([
  [1, "icmp"],
  [6, "tcp"],
  [17, "udp"],
  [47, "gre"],
  [132, "sctp"],
]);

/** How the kernel sees a flow of the guest's, told from the guest's side. Pure. */
export function flowSummary(place: FlowPlace, flow: TrackedFlow): FlowSummary {
  const { original, reply, protocol } = flow;
  const isOut = original.source === place.address;
  const sent = isOut ? original : reply;
  const received = isOut ? reply : original;
  return {
    // As wide as any: sorted as text they are sorted as numbers.
    ...{ id: flow.id.padStart(10, "0"), host: place.host, guest_name: place.guest },
    protocol: names.get(protocol) ?? "other",
    protocol_number: protocol,
    peer: destinationOf(sent),
    guest: sourceOf(sent),
    direction: isOut ? "out" : "in",
    state: stateOf(flow),
    established: isEstablished(flow),
    path: place.pathOf(flow),
    age_s: flow.startedMs === null ? null : secondsOf(place.nowMs - flow.startedMs),
    idle_s: secondsOf(place.idleMs(flow)),
    icmp: original.icmp,
    nat: translationsOf(flow),
    sent: trafficOf(sent),
    received: trafficOf(received),
    expires_s: flow.expiresS,
  };
}

function stateOf({ protocol, state, replied }: TrackedFlow): string | null {
  if (state !== null || protocol === 6) return state;
  return replied ? "REPLIED" : "UNREPLIED";
}

function isEstablished({ protocol, state, replied }: TrackedFlow): boolean {
  if (protocol === 6 && state !== null) return state === "ESTABLISHED";
  return replied;
}

/** Without translation the reply's ends are the original's, swapped. */
function translationsOf({ original, reply }: TrackedFlow): FlowSummary["nat"] {
  const translations: FlowSummary["nat"] = [
    { kind: "source", from: sourceOf(original), to: destinationOf(reply) },
    { kind: "destination", from: destinationOf(original), to: sourceOf(reply) },
  ];
  return translations.filter(({ from, to }) => from !== to);
}

function sourceOf({ source, sourcePort }: FlowTuple): string {
  return endOf(source, sourcePort);
}

function destinationOf({ destination, destinationPort }: FlowTuple): string {
  return endOf(destination, destinationPort);
}

function endOf(address: string, port: number | null): string {
  return port === null ? address : `${address}:${port}`;
}

function trafficOf({ packets, bytes }: FlowTuple) {
  return packets === null || bytes === null ? null : { packets, bytes };
}

/** Whole seconds; a clock that was set back makes none negative. */
function secondsOf(ms: number): number {
  return Math.max(0, Math.floor(ms / 1_000));
}
