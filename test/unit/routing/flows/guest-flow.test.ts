import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { guestFlow, guestFlows, tuplesOf } from "../../../../src/routing/flows/guest-flow.ts";
import { isFurther } from "../../../../src/routing/flows/progress.ts";
import { anyGuestFlow } from "../../../support/guest-flows.ts";
import { flowTuple, trackedFlow } from "../../../support/tracked-flow.ts";

const guest = "10.1.0.10";

describe("a flow as the guest has it", () => {
  it("has no address that its home translates", () => {
    const inward = trackedFlow({
      original: flowTuple("192.0.2.2:40000", "172.16.1.2:8080"),
      reply: flowTuple(`${guest}:80`, "192.0.2.2:40000"),
    });
    expect(guestFlow(guest, inward)).toMatchObject({
      ...{ direction: "in", peer: "192.0.2.2", peerPort: 40_000, guestPort: 80 },
    });
    const outward = trackedFlow({
      original: flowTuple(`${guest}:5000`, "192.0.2.2:443"),
      reply: flowTuple("192.0.2.2:443", "172.16.1.2:61000"),
    });
    expect(guestFlow(guest, outward)).toMatchObject({
      ...{ direction: "out", peer: "192.0.2.2", peerPort: 443, guestPort: 5_000 },
    });
  });

  it("has the peer that the guest sees when both ends are translated", () => {
    const hairpin = trackedFlow({
      original: flowTuple("10.1.0.11:40000", "172.16.1.2:8080"),
      reply: flowTuple(`${guest}:80`, "10.1.0.1:1025"),
    });
    expect(guestFlow(guest, hairpin)).toMatchObject({ peer: "10.1.0.1", peerPort: 1_025 });
    const asked = trackedFlow({
      original: flowTuple(`${guest}:5000`, "198.51.100.1:80"),
      reply: flowTuple("192.0.2.2:8080", "172.16.1.2:5000"),
    });
    expect(guestFlow(guest, asked)).toMatchObject({ peer: "198.51.100.1", peerPort: 80 });
  });

  it("is two where the guest asks for itself by its home's address", () => {
    const withItself = trackedFlow({
      original: flowTuple(`${guest}:5000`, "172.16.1.2:8080"),
      reply: flowTuple(`${guest}:80`, "10.1.0.1:1025"),
    });
    expect(guestFlows(guest, withItself)).toMatchObject([
      { direction: "out", peer: "172.16.1.2", peerPort: 8_080, guestPort: 5_000 },
      { direction: "in", peer: "10.1.0.1", peerPort: 1_025, guestPort: 80 },
    ]);
    const plain = trackedFlow();
    expect(guestFlows(guest, plain)).toEqual([guestFlow(guest, plain)]);
  });

  it("has the first message of an echo, and the identifier that the guest sees", () => {
    const echo = (type: number, id: number) => ({ icmp: { type, code: 0, id } });
    const ping = trackedFlow({
      ...{ protocol: 1, state: null },
      original: flowTuple("192.0.2.2", "172.16.1.2", echo(8, 7)),
      reply: flowTuple(guest, "192.0.2.2", echo(0, 9)),
    });
    expect(guestFlow(guest, ping)).toMatchObject({
      ...{ direction: "in", peer: "192.0.2.2", icmp: { type: 8, code: 0, id: 9 } },
      ...{ peerPort: null, guestPort: null, state: null },
    });
  });

  it("is what both of its directions were made of", () => {
    const elsewhere = anyGuestFlow.filter(({ peer }) => peer !== guest);
    fc.assert(
      fc.property(elsewhere, (flow) => {
        const { protocol, state, replied, assured, timeoutS: expiresS, windowScale } = flow;
        const known = { protocol, state, replied, assured, expiresS, windowScale };
        const verificationTags = flow.verificationTags ?? null;
        const tracked = trackedFlow({ ...known, verificationTags, ...tuplesOf(guest, flow) });
        expect(guestFlow(guest, tracked)).toEqual(flow);
      }),
    );
  });
});

describe("of two looks at a TCP flow", () => {
  const tcp = (state: string | null) => ({ protocol: 6, state });

  it("the one that saw more of it counts", () => {
    expect(isFurther(tcp("ESTABLISHED"), tcp("SYN_SENT"))).toBe(true);
    expect(isFurther(tcp("ESTABLISHED"), tcp("FIN_WAIT"))).toBe(false);
    expect(isFurther(tcp("ESTABLISHED"), tcp("ESTABLISHED"))).toBe(false);
    expect(isFurther(tcp("SYN_SENT"), tcp(null))).toBe(true);
    expect(isFurther({ protocol: 132, state: "CLOSED" }, tcp(null))).toBe(false);
  });
});
