import { expect, it } from "vitest";
import { estimatedIdleS, readStateTimeouts } from "../../../src/routing/flows/state-timeouts.ts";
import { trackedFlow } from "../../support/tracked-flow.ts";

const timeouts = new Map([
  ...([
    ["tcp_timeout_established", 432_000],
    ["tcp_timeout_fin_wait", 120],
  ] as const),
  ...([
    ["tcp_timeout_max_retrans", 300],
    ["tcp_timeout_unacknowledged", 300],
  ] as const),
  ...([
    ["udp_timeout", 30],
    ["udp_timeout_stream", 120],
    ["icmp_timeout", 30],
  ] as const),
  ["generic_timeout", 600],
]);
const idle = (change: Parameters<typeof trackedFlow>[0]) =>
  estimatedIdleS(trackedFlow(change), timeouts);

it("the idle time is what has gone of the state's time-out, never below 0", () => {
  expect(idle({ expiresS: 431_989 })).toBe(10);
  expect(idle({ expiresS: 431_999 })).toBe(0);
  expect(idle({ state: "FIN_WAIT", expiresS: 99 })).toBe(20);
  expect(idle({ protocol: 17, state: null, expiresS: 99 })).toBe(20);
  expect(idle({ protocol: 17, state: null, expiresS: 19, assured: false })).toBe(10);
  expect(idle({ protocol: 1, state: null, expiresS: 28 })).toBe(1);
  expect(idle({ protocol: 50, state: null, expiresS: 598 })).toBe(1);
  expect(idle({ expiresS: 432_100 })).toBe(0);
});

it("it is not estimated where the kernel may have shortened the time-out, or where that is unknown", () => {
  expect(idle({ expiresS: 300 })).toBeNull();
  expect(idle({ expiresS: 12 })).toBeNull();
  expect(idle({ expiresS: 301 })).toBe(431_698);
  expect(idle({ expiresS: null })).toBeNull();
  expect(idle({ state: "SYN_SENT2", expiresS: 9 })).toBeNull();
  expect(idle({ state: null, expiresS: 9 })).toBeNull();
});

it("time-outs are the kernel's; those that it does not have are absent", async () => {
  const values = new Map([
    ["net/netfilter/nf_conntrack_udp_timeout", "33"],
    ["net/netfilter/nf_conntrack_icmp_timeout", "soon"],
  ]);
  const read = async (path: string) => values.get(path) ?? null;
  expect(await readStateTimeouts(read)).toEqual(new Map([["udp_timeout", 33]]));
});
