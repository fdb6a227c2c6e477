import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emptyDesiredState, type Filter } from "../../../src/routing/desired.ts";
import {
  attribute,
  nameAttribute,
  nestedAttribute,
} from "../../../src/routing/netlink/attributes.ts";
import { decodeCounters } from "../../../src/routing/refused-packets.ts";
import { withoutCounters } from "../../../src/routing/ruleset.ts";
import { tunnelChains } from "../../../src/routing/tunnel-filter.ts";

const ours = { local: "172.16.1.2", vni: null, mac: null, takenBelow: true } as const;

const rulesOf = (filter: Partial<Filter>) =>
  tunnelChains({ ...emptyDesiredState.filter, ...filter })
    .filter((line) => line.startsWith("\t") && !line.includes("hook"))
    .map((line) => line.trim());

describe("what comes out of a tunnel", () => {
  test("is from whom it may be from, or to whom it may be for", () => {
    const tunnelGuests = [
      { device: "tun1", from: [], to: ["10.1.0.11", "10.1.0.10"] },
      { device: "tun0", from: ["10.1.0.10"], to: [] },
      { device: "tun1", from: ["10.1.0.12"], to: ["10.1.0.10"] },
    ];
    expect(rulesOf({ tunnelGuests })).toEqual([
      'iifname "tun0" ip saddr { 10.1.0.10 } accept',
      'iifname "tun0" counter name refused_inner_address drop',
      'iifname "tun1" ip saddr { 10.1.0.12 } accept',
      'iifname "tun1" ip daddr { 10.1.0.10, 10.1.0.11 } accept',
      'iifname "tun1" counter name refused_inner_address drop',
    ]);
  });
});

describe("what goes into a tunnel", () => {
  test("of IP in IP, others' is counted and left alone, and a peer's where it should not come", () => {
    const tunnelEnds = [
      { ...ours, kind: "ipip" as const, remote: "172.16.3.2" },
      { ...ours, kind: "ipip" as const, remote: "172.16.2.2", takenBelow: false },
    ];
    expect(rulesOf({ tunnelEnds })).toEqual([
      "ip protocol 4 ip daddr 172.16.1.2 ip saddr != { 172.16.2.2, 172.16.3.2 } counter name refused_outer_address",
      "ip protocol 4 ip daddr 172.16.1.2 ip saddr { 172.16.3.2 } counter name refused_malformed",
    ]);
  });

  test("of a VXLAN network is its other end's, and IPv4 to the device here; other networks are others'", () => {
    const end = { ...ours, kind: "vxlan" as const, remote: "172.16.3.2", vni: 77 };
    const network = "ip daddr 172.16.1.2 udp dport 4789 @th,96,24 77";
    const frame = "@th,128,48 0x02000000004d @th,224,16 0x0800 @th,240,4 4";
    const mac = "02:00:00:00:00:4d";
    expect(rulesOf({ tunnelEnds: [{ ...end, mac, takenBelow: false }] })).toEqual([
      `${network} ip saddr != 172.16.3.2 counter name refused_outer_address drop`,
      `${network} @th,64,8 & 8 == 8 ${frame} accept`,
      `${network} counter name refused_malformed drop`,
    ]);
  });

  test("nothing is said where there are no tunnels", () => {
    expect(tunnelChains(emptyDesiredState.filter)).toEqual([]);
  });
});

describe("the counters", () => {
  const counter = (name: string, packets: number, table = "sojourn") => {
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(BigInt(packets));
    return Buffer.concat([
      Buffer.from([2, 0, 0, 0]),
      nameAttribute(1, table),
      nameAttribute(2, name),
      nestedAttribute(4, [attribute(1, Buffer.alloc(8)), attribute(2, number)]),
    ]);
  };

  test("are told by their names, those of other tables are not ours", () => {
    const objects = [
      counter("refused_malformed", 3),
      counter("refused_outer_address", 2 ** 40),
      counter("refused_inner_address", 9, "filter"),
    ];
    const expected = { inner_address: 0, outer_address: 2 ** 40, malformed: 3 };
    expect(decodeCounters(objects)).toEqual(expected);
  });

  test("damaged answers are refused or not counted", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 4 }), (answers) => {
        try {
          const counts = decodeCounters(answers.map((bytes) => Buffer.from(bytes)));
          expect(counts).toEqual({ inner_address: 0, outer_address: 0, malformed: 0 });
        } catch (error) {
          expect(error).toMatchObject({ code: "SOJ_NETLINK_MALFORMED" });
        }
      }),
    );
  });

  test("are no difference between two listings", () => {
    const listing = (packets: number) =>
      `table ip sojourn {\n\tcounter refused_malformed {\n\t\tpackets ${packets} bytes 7\n\t}\n}\n`;
    expect(withoutCounters(listing(5))).toBe(withoutCounters(listing(1_234)));
  });
});
