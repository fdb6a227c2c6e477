import type { FlowTuple, TrackedFlow } from "../../routing/flows/parse.ts";
import type { FlowSummary } from "./schemas.ts";

const names: ReadonlyMap<number, FlowSummary["protocol"]> = new Map([
  [1, "icmp"],
  [6, "tcp"],
  [17, "udp"],
]);

/** How the kernel sees `address`'s flow, told from the guest's side. Pure. */
export function flowSummary(
  { guest, host, address }: { guest: string; host: string; address: string },
  flow: TrackedFlow,
): FlowSummary {
  const { original, reply, protocol } = flow;
  const isOut = original.source === address;
  const sent = isOut ? original : reply;
  const received = isOut ? reply : original;
  return {
    // As wide as any: sorted as text they are sorted as numbers.
    ...{ id: flow.id.padStart(10, "0"), guest, host },
    protocol: names.get(protocol) ?? "other",
    protocol_number: protocol,
    state: flow.state,
    established: isEstablished(flow),
    direction: isOut ? "out" : "in",
    local: sourceOf(sent),
    remote: destinationOf(sent),
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
  return translations.filter(
    ({ from, to }) => from.address !== to.address || from.port !== to.port,
  );
}

function sourceOf({ source: address, sourcePort: port }: FlowTuple) {
  return { address, port };
}

function destinationOf({ destination: address, destinationPort: port }: FlowTuple) {
  return { address, port };
}

function trafficOf({ packets, bytes }: FlowTuple) {
  return packets === null || bytes === null ? null : { packets, bytes };
}
