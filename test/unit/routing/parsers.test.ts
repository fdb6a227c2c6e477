import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SojournError } from "../../../src/platform/errors.ts";
import { isWholeReply } from "../../../src/routing/barrier/probe.ts";
import { emptyDesiredState, type Route } from "../../../src/routing/desired.ts";
import { decodeAddress } from "../../../src/routing/netlink/addresses.ts";
import { decodeCounters, decodeLink } from "../../../src/routing/netlink/links.ts";
import { decodeFdbEntry, decodeNeighbour } from "../../../src/routing/netlink/neighbours.ts";
import {
  decodeRoute,
  decodeRouteLookup,
  encodeRoute,
} from "../../../src/routing/netlink/routes.ts";
import { decodeRule } from "../../../src/routing/netlink/rules.ts";
import { normalise, normalisePrefix } from "../../../src/routing/normalise.ts";
import { digestInListing, renderTables } from "../../../src/routing/ruleset.ts";
import { parseSysctlMemory } from "../../../src/routing/sysctl-memory.ts";
import { desiredState } from "../../support/routing-plane.ts";

const linkName = (index: number) => `if${index}`;

test.each([
  ["route", (bytes: Buffer) => decodeRoute(bytes, linkName)],
  ["route lookup", (bytes: Buffer) => decodeRouteLookup(bytes)],
  ["rule", (bytes: Buffer) => decodeRule(bytes)],
  ["link", (bytes: Buffer) => decodeLink(bytes)],
  ["link's statistics", (bytes: Buffer) => decodeCounters(bytes)],
  ["address", (bytes: Buffer) => decodeAddress(bytes, linkName)],
  ["neighbour", (bytes: Buffer) => decodeNeighbour(bytes, linkName)],
  ["bridge entry", (bytes: Buffer) => decodeFdbEntry(bytes, linkName)],
])("any bytes are a %s or a typed error", (_kind, decode) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      expectTyped(() => decode(Buffer.from(bytes)), "SOJ_NETLINK_MALFORMED");
    }),
  );
});

test("a route survives encoding and decoding", () => {
  const anyRoute: fc.Arbitrary<Route> = fc.record({
    table: fc.integer({ min: 1, max: 0xffffffff }),
    prefix: fc.constantFrom("default", "10.1.0.10/32", "10.0.0.0/8"),
    type: fc.constant("unicast" as const),
    device: fc.constant("if7"),
    via: fc.constantFrom(null, "192.168.0.1"),
    mtu: fc.option(fc.integer({ min: 68, max: 65535 })),
  });
  fc.assert(
    fc.property(anyRoute, (route) => {
      const decoded = decodeRoute(encodeRoute(route, 183, 7), linkName);
      expect(decoded).toEqual({ ...route, protocol: 183, metric: 0, unusual: false });
    }),
  );
});

describe("texts from outside", () => {
  test("any text is a sysctl memory or a typed error", () => {
    const anyText = fc.oneof(fc.string(), fc.json());
    fc.assert(
      fc.property(anyText, (text) => {
        expectTyped(() => parseSysctlMemory(text, "sysctls.json"), "SOJ_ROUTING_BAD_MEMORY");
      }),
    );
  });

  test("any listing and any output of ping is read without a throw", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(digestInListing(text)).toBeNull();
        expect(isWholeReply(text, 1472)).toBe(false);
      }),
    );
  });

  test("a reply of another size or content is no whole reply", () => {
    const line = "1460 bytes from 10.1.0.10: icmp_seq=1 ttl=62 time=0.1 ms";
    expect(isWholeReply(line, 1460)).toBe(true);
    expect(isWholeReply(line, 1430)).toBe(false);
    expect(isWholeReply(`${line} (truncated)`, 1460)).toBe(false);
    expect(isWholeReply(`${line}\nwrong data byte #16 should be 0xab`, 1460)).toBe(false);
  });
});

test("names and numbers that cannot be meant are refused before anything runs", () => {
  const route = { table: 254, type: "unicast", via: null, mtu: null } as const;
  const bad = [
    { bridges: [{ name: "br0", mac: null }] },
    { taps: [{ name: "sjp000000001", bridge: "a;b", txQueueLength: 1 }] },
    { routes: [{ ...route, prefix: "10.0.0.0/33", device: "tun0" }] },
    { routes: [{ ...route, prefix: "10.0.0.0/8", device: null }] },
    { rules: [{ priority: 0, table: 1, iif: null, from: null, to: null }] },
    { sysctls: [{ path: "kernel/core_pattern", value: "x" }] },
    { sysctls: [{ path: "net/../kernel/core_pattern", value: "x" }] },
    { fdb: [{ device: "sjp000000001", mac: "01:00:00:00:00:01" }] },
  ];
  for (const parts of bad) {
    expect(() => normalise(desiredState(parts))).toThrowError(
      expect.objectContaining({ code: "SOJ_ROUTING_BAD_STATE", exitCode: 2 }),
    );
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      expectTyped(() => normalisePrefix(text), "SOJ_ROUTING_BAD_STATE");
    }),
  );
});

test("prefixes are masked and written out", () => {
  expect(
    ["10.1.2.3/8", "10.1.0.10", "0.0.0.0/0", "255.255.255.255/32"].map(normalisePrefix),
  ).toEqual(["10.0.0.0/8", "10.1.0.10/32", "default", "255.255.255.255/32"]);
});

test("the order of a filter's entries and armed copies do not change its digest", () => {
  const copies = [
    { address: "10.1.0.10", device: "tun0", gateway: "10.1.0.10" },
    { address: "10.1.0.11", device: "tun1", gateway: "10.1.0.11" },
  ];
  const filter = { ...emptyDesiredState.filter, copies };
  const one = renderTables(filter, () => "", new Set()).ip;
  const other = { ...filter, copies: copies.toReversed() };
  const armed = renderTables(other, () => "", new Set(["10.1.0.10"])).ip;
  expect(armed?.digest).toBe(one?.digest);
  expect(armed?.text).toContain("elements = { 10.1.0.10 }");
});

function expectTyped(run: () => unknown, code: string): void {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(SojournError);
    expect(error).toMatchObject({ code });
  }
}
