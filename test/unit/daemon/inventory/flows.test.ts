import { describe, expect, it } from "vitest";
import { type FlowPlace, flowSummary } from "../../../../src/daemon/inventory/flows.ts";
import { flowSummarySchema } from "../../../../src/daemon/inventory/schemas.ts";
import { flowTuple, trackedFlow } from "../../../support/tracked-flow.ts";

const place: FlowPlace = {
  ...{ guest: "web1", host: "host-a", address: "10.1.0.10", nowMs: 1_000_000 },
  ...{ pathOf: () => "redirect", idleMs: () => 3_999 },
};

describe("a flow", () => {
  it("is told as programs were promised: both ends, state, way, and idle time", () => {
    const told = flowSummary(place, trackedFlow());
    expect(told).toEqual({
      ...{ protocol: "tcp", peer: "192.0.2.2:40000", guest: "10.1.0.10:7", state: "ESTABLISHED" },
      ...{ path: "redirect", idle_s: 3 },
      ...{ id: "0000000007", host: "host-a", guest_name: "web1", protocol_number: 6 },
      ...{ direction: "in", established: true, age_s: null, icmp: null, nat: [] },
      ...{ sent: null, received: null, expires_s: 431_999 },
    });
    expect(flowSummarySchema.parse(told)).toEqual(told);
  });

  it("is told from the guest's side, with what was counted and how old it is", () => {
    const [from, to] = ["192.0.2.2:4", "10.1.0.10:7"];
    const flow = trackedFlow({
      original: flowTuple(from, to, { packets: 9, bytes: 90 }),
      reply: flowTuple(to, from, { packets: 8, bytes: 80 }),
    });
    expect(flowSummary(place, { ...flow, startedMs: 990_100 })).toMatchObject({
      ...{ sent: { packets: 8, bytes: 80 }, received: { packets: 9, bytes: 90 }, age_s: 9 },
    });
    expect(flowSummary(place, { ...flow, startedMs: 1_000_500 }).age_s).toBe(0);
  });

  it("from the guest shows the address that it gets on its way", () => {
    const flow = trackedFlow({
      original: flowTuple("10.1.0.10:5", "192.0.2.2:80"),
      reply: flowTuple("192.0.2.2:80", "172.16.1.2:6005"),
    });
    expect(flowSummary(place, flow)).toMatchObject({
      ...{ direction: "out", guest: "10.1.0.10:5", peer: "192.0.2.2:80" },
      nat: [{ kind: "source", from: "10.1.0.10:5", to: "172.16.1.2:6005" }],
    });
  });

  it("that asked for another address shows that one", () => {
    const flow = trackedFlow({
      original: flowTuple("192.0.2.2:4", "172.16.1.2:80"),
      reply: flowTuple("10.1.0.10:8080", "192.0.2.2:4"),
    });
    expect(flowSummary(place, flow)).toMatchObject({
      ...{ direction: "in", guest: "10.1.0.10:8080", peer: "192.0.2.2:4" },
      nat: [{ kind: "destination", from: "172.16.1.2:80", to: "10.1.0.10:8080" }],
    });
  });

  it("without ports has ends without ports, and a state whether its protocol has any or not", () => {
    const icmp = { type: 8, code: 0, id: 4711 };
    const ping = trackedFlow({
      ...{ protocol: 1, state: null, expiresS: 29 },
      original: flowTuple("192.0.2.2", "10.1.0.10", { icmp }),
      reply: flowTuple("10.1.0.10", "192.0.2.2", { icmp: { ...icmp, type: 0 } }),
    });
    expect(flowSummary(place, ping)).toMatchObject({
      ...{ protocol: "icmp", peer: "192.0.2.2", guest: "10.1.0.10", state: "REPLIED", icmp },
      established: true,
    });
    expect(flowSummary(place, { ...ping, replied: false })).toMatchObject({
      ...{ state: "UNREPLIED", established: false },
    });
    const offloaded = trackedFlow({ state: null, expiresS: null });
    expect(flowSummary(place, offloaded)).toMatchObject({ state: null, expires_s: null });
    const sctp = trackedFlow({ protocol: 132, state: "SHUTDOWN_SENT" });
    expect(flowSummary(place, sctp)).toMatchObject({ protocol: "sctp", state: "SHUTDOWN_SENT" });
    expect(flowSummary(place, { ...sctp, protocol: 50 })).toMatchObject({
      ...{ protocol: "other", protocol_number: 50 },
    });
  });

  it("is not established before its handshake", () => {
    expect(flowSummary(place, trackedFlow({ state: "SYN_RECV" })).established).toBe(false);
  });
});
