import type { TrackedFlow } from "../routing/flows/tracked-flow.ts";
import type { CutFlow } from "./retirement-schema.ts";

const names: ReadonlyMap<number, string> = new Map([
  [1, "icmp"],
  [6, "tcp"],
  [17, "udp"],
  [47, "gre"],
  [132, "sctp"],
]);

/** A flow of the guest's `address`, both ends as the guest sees them (as in `sojourn flows`). Pure. */
export function cutFlow(address: string, flow: TrackedFlow, idleMs: number | null): CutFlow {
  const { original, reply, protocol, replied } = flow;
  const sent = original.source === address ? original : reply;
  const other = protocol === 6 ? null : replied ? "REPLIED" : "UNREPLIED";
  return {
    protocol: names.get(protocol) ?? String(protocol),
    peer: end(sent.destination, sent.destinationPort),
    guest: end(sent.source, sent.sourcePort),
    state: flow.state ?? other,
    idle_s: idleMs === null ? null : Math.floor(idleMs / 1000),
  };
}

function end(address: string, port: number | null): string {
  return port === null ? address : `${address}:${port}`;
}
