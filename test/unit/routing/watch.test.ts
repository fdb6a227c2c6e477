import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emptyDesiredState } from "../../../src/routing/desired.ts";
import { interestIn, nothingWanted } from "../../../src/routing/watch/interest.ts";
import { concernsUs, type EventSource } from "../../../src/routing/watch/relevance.ts";

const tap = "sjp0123456789".slice(0, 12);
const tunnel = "sjtabcdef012";
const interest = interestIn(
  {
    ...emptyDesiredState,
    taps: [{ name: tap, bridge: "guests0", txQueueLength: 1 }],
    routes: [
      { table: 254, prefix: "10.1.0.10/32", type: "unicast", device: tunnel, via: null, mtu: null },
      { table: 18310, prefix: "default", type: "unicast", device: tunnel, via: null, mtu: null },
    ],
    rules: [{ priority: 18320, table: 18310, iif: null, from: "10.1.0.10/32", to: null }],
    neighbours: [{ kind: "permanent", device: "guests0", address: "10.1.0.11", mac: "x" }],
    fdb: [{ device: tap, mac: "52:54:00:00:00:14" }],
  },
  ["eth0"],
);

const ours: [EventSource, string][] = [
  ["ip", "[ROUTE]10.9.9.9 dev eth5 proto 183 scope 253 "],
  ["ip", "[ROUTE]Deleted throw 10.6.0.0/24 table 18310 proto 183 "],
  ["ip", "[ROUTE]10.1.0.10 dev lo scope 253 "],
  ["ip", "[ROUTE]Deleted blackhole 10.1.0.10 proto 4 "],
  ["ip", "[ROUTE]default dev eth7 table 18310 proto 3 scope 253 "],
  ["ip", "[RULE]Deleted 18320:\tfrom 10.1.0.10 lookup 18310 proto 183"],
  ["ip", "[RULE]18320:\tfrom all lookup 7"],
  ["ip", "[NEIGH]10.1.0.11 dev guests0 lladdr 02:00:00:00:00:01 PERMANENT "],
  ["ip", "[NEIGH]Deleted 10.5.0.1 dev eth3 FAILED proto 183 "],
  ["ip", `[NEIGH]Deleted dev ${tap} lladdr 52:54:00:00:00:14 NOARP `],
  ["ip", `[LINK]Deleted 7: ${tunnel}@sjx123456789: <BROADCAST> mtu 1480 \\    link/ether`],
  ["ip", "[LINK]2: guests0: <NO-CARRIER> mtu 1500 "],
  ["ip", "[LINK]2: eth0@if7: <UP> mtu 1400 "],
  ["ip", `[ADDR]Deleted 7: ${tunnel}    inet 192.0.0.8/32 scope host ${tunnel}`],
  ["ip", "[NETCONF]inet guests0 rp_filter strict "],
  ["tc", "deleted qdisc clsact ffff: dev eth0 parent ffff:fff1 refcnt 0 "],
  ["tc", `filter dev ${tunnel} egress protocol all pref 183 bpf chain 0 `],
  ["nft", "delete table ip sojourn"],
  ["nft", "add rule bridge sojourn to_old_gateway counter packets 0 bytes 0 drop"],
];

const others: [EventSource, string][] = [
  ["ip", "[ROUTE]10.1.0.12 dev guests0 proto 2 scope 253 "],
  ["ip", "[ROUTE]10.1.0.10 dev lo table 77 scope 253 "],
  ["ip", "[ROUTE]10.1.0.10/31 dev guests0 proto 1830 scope 253 "],
  ["ip", "[RULE]100:\tfrom 9.9.9.9 lookup 77"],
  ["ip", "[NEIGH]10.1.0.12 dev guests0 lladdr 02:00:00:00:00:01 REACHABLE "],
  ["ip", "[NEIGH]10.1.0.11 dev eth5 lladdr 02:00:00:00:00:01 STALE "],
  ["ip", "[NEIGH]dev veth1 lladdr 52:54:00:00:00:14 STALE "],
  ["ip", "[LINK]9: veth1@if3: <UP> mtu 1500 "],
  ["ip", "[LINK]9: sjv123456789@if3: <UP> mtu 1500 "],
  ["ip", "[NETCONF]inet6 veth1 forwarding on "],
  ["tc", "qdisc noqueue 0: dev veth1 root refcnt 2 "],
  ["nft", "# new generation 8 by process 11979 (nft)"],
  ["nft", "add table ip sojourn2"],
  ["nft", "add element inet sojourn s { 1.2.3.4 }"],
];

describe("what the kernel tells", () => {
  test.each(ours)("%s: %s concerns us", (source, line) => {
    expect(concernsUs(source, line, interest)).toBe(true);
  });

  test.each(others)("%s: %s does not", (source, line) => {
    expect(concernsUs(source, line, interest)).toBe(false);
  });

  test("our mark concerns us whatever is wanted", () => {
    expect(concernsUs("ip", ours[0]?.[1] ?? "", nothingWanted)).toBe(true);
    expect(concernsUs("ip", ours[2]?.[1] ?? "", nothingWanted)).toBe(false);
  });

  test("any text is answered, and quickly", () => {
    const sources = fc.constantFrom<EventSource>("ip", "tc", "nft");
    const label = fc.constantFrom("", "[ROUTE]", "[NEIGH]", "[LINK]", "[RULE]Deleted ");
    fc.assert(
      fc.property(
        sources,
        label,
        fc.string({ unit: "binary", maxLength: 2_000 }),
        (source, l, s) => {
          expect(typeof concernsUs(source, l + s, interest)).toBe("boolean");
        },
      ),
    );
    expect(concernsUs("ip", `[ROUTE]${"1.".repeat(30_000)}`, interest)).toBe(false);
  });
});
