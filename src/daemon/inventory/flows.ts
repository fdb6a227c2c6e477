import { destinationOf, flowEnds, sourceOf } from "../../migrator/flow-ends.ts";
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

/** How the kernel sees a flow of the guest's, told from the guest's side. Pure. */
export function flowSummary(place: FlowPlace, flow: TrackedFlow): FlowSummary {
  const { original } = flow;
  const { protocol, sent, received, ...words } = flowEnds(place.address, flow);
  return {
    // As wide as any: sorted as text they are sorted as numbers.
    ...{ id: flow.id.padStart(10, "0"), host: place.host, guest_name: place.guest },
    protocol: protocol ?? "other",
    protocol_number: flow.protocol,
    ...words,
    direction: sent === original ? "out" : "in",
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

function trafficOf({ packets, bytes }: FlowTuple) {
  return packets === null || bytes === null ? null : { packets, bytes };
}

/** Whole seconds; a clock that was set back makes none negative. */
function secondsOf(ms: number): number {
  return Math.max(0, Math.floor(ms / 1_000));
}
