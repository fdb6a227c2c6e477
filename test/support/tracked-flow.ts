import type { FlowTuple, TrackedFlow } from "../../src/routing/flows/tracked-flow.ts";

/** An established session of 192.0.2.2 with 10.1.0.10, port 7. */
export function trackedFlow(change: Partial<TrackedFlow> = {}): TrackedFlow {
  return {
    ...{ id: "7", protocol: 6, expiresS: 431_999, state: "ESTABLISHED" },
    original: flowTuple("192.0.2.2:40000", "10.1.0.10:7"),
    reply: flowTuple("10.1.0.10:7", "192.0.2.2:40000"),
    ...{ replied: true, assured: true, expected: false, mark: 0, zone: 0, startedMs: null },
    ...{ windowScale: null, verificationTags: null },
    ...change,
  };
}

/** @param source as `ADDRESS:PORT`, or `ADDRESS` for a protocol without ports. */
export function flowTuple(
  source: string,
  destination: string,
  change: Partial<FlowTuple> = {},
): FlowTuple {
  const [from = "", fromPort] = source.split(":");
  const [to = "", toPort] = destination.split(":");
  return {
    ...{ source: from, sourcePort: fromPort === undefined ? null : Number(fromPort) },
    ...{ destination: to, destinationPort: toPort === undefined ? null : Number(toPort) },
    ...{ icmp: null, packets: null, bytes: null },
    ...change,
  };
}
