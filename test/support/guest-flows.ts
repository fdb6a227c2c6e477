import fc from "fast-check";
import type { GuestFlow } from "../../src/routing/flows/flow-table.ts";

/** An established session of 192.0.2.2 with a guest's port 7. */
export function guestFlowOf(change: Partial<GuestFlow> = {}): GuestFlow {
  return {
    ...{ protocol: 6, direction: "in", peer: "192.0.2.2", peerPort: 40_000, guestPort: 7 },
    ...{ icmp: null, state: "ESTABLISHED", replied: true, assured: true, timeoutS: 86_400 },
    windowScale: { original: 7, reply: 9 },
    ...change,
  };
}

const octet = fc.nat(255);
const scale = fc.nat(14);
const port = fc.nat(65_535);
const word = fc.nat(2 ** 32 - 1);
const ends = { peerPort: port, guestPort: port };
const nothing = {
  icmp: fc.constant(null),
  windowScale: fc.constant(null),
  state: fc.constant(null),
};
const portless = { peerPort: fc.constant(null), guestPort: fc.constant(null) };
const common = {
  direction: fc.constantFrom("in" as const, "out" as const),
  peer: fc.ipV4(),
  replied: fc.boolean(),
  assured: fc.boolean(),
  timeoutS: fc.nat(4_294_967),
};

/** Flows of every protocol that has something of its own, and of others. */
export const anyGuestFlow: fc.Arbitrary<GuestFlow> = fc.oneof(
  fc.record({
    ...{ ...common, ...nothing, ...ends, protocol: fc.constant(6) },
    state: fc.constantFrom("SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE", "SYN_SENT2"),
    windowScale: fc.option(fc.record({ original: scale, reply: scale })),
  }),
  fc.record({ ...common, ...nothing, ...ends, protocol: fc.constantFrom(17, 47, 136) }),
  fc.record({
    ...{ ...common, ...nothing, ...portless, protocol: fc.constant(1) },
    icmp: fc.record({ type: fc.constantFrom(0, 8, 13, 17), code: octet, id: port }),
  }),
  fc.record({
    ...{ ...common, ...nothing, ...ends, protocol: fc.constant(132) },
    state: fc.constantFrom("COOKIE_ECHOED", "ESTABLISHED"),
    verificationTags: fc.record({ original: word, reply: word }),
  }),
  fc.record({ ...common, ...nothing, ...portless, protocol: fc.constantFrom(2, 50, 89) }),
);
