import { describe, expect, test } from "vitest";
import { desiredNetwork } from "../../../src/migrator/desired-network.ts";
import { tunnelEnd } from "../../../src/migrator/desired-parts.ts";
import {
  attachmentOf,
  deliveryRoute,
  guestNetworkOf,
  type HostFacts,
  redirectRoute,
  requiredTunnels,
} from "../../../src/migrator/network.ts";
import { type GuestRecord, hostingStages } from "../../../src/migrator/records.ts";
import { emptyDesiredState, incomingTable, mainTable } from "../../../src/routing/desired.ts";
import { aToB, bToA, hostA, hostB, recordOf, tunnelOf } from "./support.ts";

type Stage = (typeof hostingStages)[number];

const web1 = recordOf("web1", 10);
const web2 = recordOf("web2", 11);
const mac = "52:54:00:00:00:0a";
const tapOfWeb1 = attachmentOf(hostA, web1).tap;
const bridgeOfWeb1 = attachmentOf(hostB, web1).bridge;

const desired = (host: HostFacts, ...records: GuestRecord[]) =>
  desiredNetwork(host, records, tunnelOf);

const unicast = (table: number, prefix: string, device: string, mtu: number | null = null) => ({
  table,
  prefix,
  type: "unicast",
  device,
  via: null,
  mtu,
});

const sizeLimit = (direction: "to" | "from", device: string) => ({
  address: "10.1.0.10",
  device,
  mtu: 1480,
  direction,
  elsewhere: [],
  adviseOnly: false,
  redirectedOnly: false,
});

const atHome: GuestRecord = {
  ...web1,
  hosting: { stage: "running", tableIndex: 0, homeTunnel: null, sourceTunnel: null },
};

describe("an adopted guest at home", () => {
  const adopted: GuestRecord = {
    ...atHome,
    hosting: atHome.hosting && { ...atHome.hosting, tap: "tap77" },
  };

  test("has its owner's tap, which is neither made nor changed", () => {
    expect(attachmentOf(hostA, adopted).tap).toBe("tap77");
    expect(desired(hostA, adopted)).toEqual(emptyDesiredState);
  });
});

const leaving = (switched: boolean): GuestRecord => ({
  ...atHome,
  outgoing: { tunnel: aToB, switched },
});

const redirected: GuestRecord = { ...web1, redirect: { host: "host-b", tunnel: aToB } };

/** Arriving at, or running at, host-b. */
const awayAt = (stage: Stage, tableIndex = 0, record = web1): GuestRecord => ({
  ...record,
  hosting: {
    stage,
    tableIndex,
    homeTunnel: bToA,
    sourceTunnel: stage === "running" ? null : bToA,
  },
});

/** Who asks for the guest is answered once its route leads elsewhere, and nobody is told of a way around home. */
const intercepted = {
  neighbours: [{ kind: "proxy", device: "guests0", address: "10.1.0.10" }],
  sysctls: [
    { path: "net/ipv4/neigh/guests0/proxy_delay", value: "0" },
    { path: "net/ipv4/conf/all/send_redirects", value: "0" },
    { path: "net/ipv4/conf/guests0/send_redirects", value: "0" },
  ],
};

/** On its way back to host-a; the redirect stays until it has landed. */
const returning = (stage: Stage): GuestRecord => ({
  ...web1,
  hosting: {
    stage,
    tableIndex: 0,
    homeTunnel: null,
    sourceTunnel: stage === "running" ? null : aToB,
  },
  redirect: stage === "landed" || stage === "running" ? null : { host: "host-b", tunnel: aToB },
});

/** What may come out of the tunnels on `host`, as `from` and `to` of the guest. */
const fromTunnels = (host: HostFacts, record: GuestRecord) =>
  desired(host, record).filter.tunnelGuests.map(({ device, from, to }) => {
    return `${device}${from.length > 0 ? " from" : ""}${to.length > 0 ? " to" : ""}`;
  });

describe("what may come out of a tunnel", () => {
  test.each([
    ["home, a move being prepared", hostA, leaving(false), ["tun-2 from"]],
    ["home, after the route change", hostA, leaving(true), ["tun-2 from"]],
    ["home, the guest away", hostA, redirected, ["tun-2 from"]],
    ["home, the barrier of the return", hostA, returning("barrier"), ["tun-2 from to"]],
    ["home, the guest on its way back", hostA, returning("incoming"), ["tun-2 from to"]],
    [
      "home, the guest landed, its last packets on their way",
      hostA,
      returning("landed"),
      ["tun-2 from to"],
    ],
    ["home, all over", hostA, returning("running"), []],
    ["the guest's host, its barrier", hostB, awayAt("barrier"), ["tun-1 to"]],
    ["the guest's host, before its start", hostB, awayAt("incoming"), ["tun-1 to"]],
    ["the guest's host, landed", hostB, awayAt("landed"), ["tun-1 to"]],
    ["the guest's host", hostB, awayAt("running"), ["tun-1 to"]],
    [
      "the guest's host, which it leaves for home: the barrier's answers too",
      hostB,
      { ...awayAt("running"), outgoing: { tunnel: bToA, switched: true } },
      ["tun-1 from to"],
    ],
  ] as const)("%s", (_name, host, record, expected) => {
    expect(fromTunnels(host, record)).toEqual(expected);
  });
});

describe("at home", () => {
  test("a guest that never left needs its tap only", () => {
    expect(desired(hostA, atHome)).toEqual({
      ...emptyDesiredState,
      taps: [{ name: tapOfWeb1, bridge: "guests0", txQueueLength: 4096 }],
    });
    expect(requiredTunnels([atHome])).toEqual([]);
  });

  test("a prepared move adds the tunnel's MTU to the guest's route, the copies and the filter", () => {
    expect(desired(hostA, leaving(false))).toEqual({
      ...desired(hostA, atHome),
      routes: [unicast(mainTable, "10.1.0.10/32", "guests0", 1480)],
      ...intercepted,
      filter: {
        tunnelGuests: [{ device: "tun-2", from: ["10.1.0.10"], to: [] }],
        tunnelEnds: [tunnelEnd(tunnelOf(aToB))],
        gatewayFrames: [],
        guestFrames: [{ bridge: "guests0", mac, ipv4Only: true }],
        copies: [{ address: "10.1.0.10", device: "tun-2", gateway: "10.1.0.10" }],
        ...{ tracking: false, renumbered: [] },
        sizeLimits: [sizeLimit("to", "tun-2"), { ...sizeLimit("from", "tun-2"), adviseOnly: true }],
      },
    });
    expect(requiredTunnels([leaving(false)])).toEqual([aToB]);
  });

  test("the switchover changes that one route and nothing else", () => {
    const before = desired(hostA, leaving(false));
    expect(desired(hostA, leaving(true))).toEqual({
      ...before,
      routes: [redirectRoute("10.1.0.10", tunnelOf(aToB))],
    });
    expect(before.routes).toEqual([deliveryRoute("10.1.0.10", "guests0", 1480)]);
  });

  test("a guest that is away is redirected and its neighbours are answered", () => {
    expect(desired(hostA, redirected)).toEqual({
      ...emptyDesiredState,
      routes: [unicast(mainTable, "10.1.0.10/32", "tun-2")],
      ...intercepted,
      filter: {
        tunnelGuests: [{ device: "tun-2", from: ["10.1.0.10"], to: [] }],
        tunnelEnds: [tunnelEnd(tunnelOf(aToB))],
        gatewayFrames: [],
        guestFrames: [{ bridge: "guests0", mac }],
        copies: [],
        ...{ tracking: false, renumbered: [] },
        sizeLimits: [sizeLimit("to", "tun-2")],
      },
    });
  });

  test("a guest that comes back is redirected until it has landed, and then like one that never left", () => {
    for (const stage of ["barrier", "incoming"] as const) {
      const state = desired(hostA, returning(stage));
      expect(state.routes.filter(({ table }) => table === mainTable)).toEqual([
        redirectRoute("10.1.0.10", tunnelOf(aToB)),
      ]);
      expect(state.routes).toContainEqual(unicast(incomingTable, "10.1.0.10/32", "guests0"));
      expect(state.neighbours).toContainEqual({
        kind: "proxy",
        device: "guests0",
        address: "10.1.0.10",
      });
    }
    const landed = desired(hostA, returning("landed"));
    expect(landed.routes.filter(({ table }) => table === mainTable)).toEqual([]);
    expect(landed.neighbours).toEqual([
      { kind: "permanent", device: "guests0", address: "10.1.0.10", mac },
    ]);
    expect(desired(hostA, returning("running"))).toEqual(desired(hostA, atHome));
  });
});

describe("away from home", () => {
  test("a guest that runs there has source routing, the gateway's stand-in and its route", () => {
    expect(desired(hostB, awayAt("running"))).toEqual({
      bridges: [{ name: bridgeOfWeb1, mac: "52:54:00:00:01:01" }],
      taps: [{ name: tapOfWeb1, bridge: bridgeOfWeb1, txQueueLength: 4096 }],
      routes: [
        { table: 18310, prefix: "10.2.0.0/24", type: "throw", device: null, via: null, mtu: null },
        unicast(18310, "10.1.0.10/32", bridgeOfWeb1),
        unicast(18310, "default", "tun-1"),
        unicast(mainTable, "10.1.0.10/32", bridgeOfWeb1),
      ],
      rules: [
        { priority: 18320, table: 18310, iif: bridgeOfWeb1, from: "10.1.0.10/32", to: null },
        {
          ...{ priority: 18318, table: mainTable, hostRoutesOnly: true },
          ...{ iif: bridgeOfWeb1, from: "10.1.0.10/32", to: "10.1.0.0/24" },
        },
      ],
      neighbours: [{ kind: "permanent", device: bridgeOfWeb1, address: "10.1.0.10", mac }],
      fdb: [{ device: tapOfWeb1, mac }],
      sysctls: [
        { path: `net/ipv4/conf/${bridgeOfWeb1}/forwarding`, value: "1" },
        { path: `net/ipv4/conf/${bridgeOfWeb1}/proxy_arp`, value: "1" },
        { path: `net/ipv4/conf/${bridgeOfWeb1}/rp_filter`, value: "2" },
        { path: `net/ipv4/conf/${bridgeOfWeb1}/send_redirects`, value: "0" },
        { path: `net/ipv4/neigh/${bridgeOfWeb1}/proxy_delay`, value: "0" },
      ],
      filter: {
        tunnelGuests: [{ device: "tun-1", from: [], to: ["10.1.0.10"] }],
        tunnelEnds: [tunnelEnd(tunnelOf(bToA))],
        gatewayFrames: [{ tap: tapOfWeb1, bridge: bridgeOfWeb1 }],
        guestFrames: [],
        copies: [],
        ...{ tracking: false, renumbered: [] },
        sizeLimits: [{ ...sizeLimit("from", "tun-1"), elsewhere: ["10.2.0.0/24"] }],
      },
    });
  });

  test.each(hostingStages)("%s: main leads to the guest only when it runs there", (stage) => {
    const { routes, rules } = desired(hostB, awayAt(stage));
    const runs = stage === "landed" || stage === "running";
    expect(routes.filter(({ table }) => table === mainTable)).toEqual(
      runs ? [deliveryRoute("10.1.0.10", bridgeOfWeb1)] : [],
    );
    const served = stage !== "running";
    expect(rules.some(({ table, iif }) => table === incomingTable && iif === "tun-1")).toBe(served);
    expect(routes.some(({ table }) => table === incomingTable)).toBe(served);
  });

  test("the barrier has the guest's MAC to itself: no FDB entry leads to the tap", () => {
    expect(desired(hostB, awayAt("barrier")).fdb).toEqual([]);
    expect(desired(hostB, awayAt("incoming")).fdb).toEqual([{ device: tapOfWeb1, mac }]);
  });

  test("the gateway's address is never configured, and packets over vxlan name the far end", () => {
    const over = { ...bToA, kind: "vxlan" as const };
    const record = awayAt("running");
    if (record.hosting === null) throw new Error("hosted");
    const state = desired(hostB, { ...record, hosting: { ...record.hosting, homeTunnel: over } });
    expect(JSON.stringify(state)).not.toContain('"10.1.0.1"');
    expect(state.routes).toContainEqual({
      ...unicast(18310, "default", "tun-1"),
      via: "172.16.1.2",
    });
  });

  test("a guest that leaves for home has its way to the destination instead of its plain route", () => {
    const record = { ...awayAt("running"), outgoing: { tunnel: bToA, switched: false } };
    expect(desired(hostB, record).routes.filter(({ table }) => table === mainTable)).toEqual([
      deliveryRoute("10.1.0.10", bridgeOfWeb1, 1480),
    ]);
    const switched = { ...record, outgoing: { tunnel: bToA, switched: true } };
    expect(desired(hostB, switched).routes.filter(({ table }) => table === mainTable)).toEqual([
      redirectRoute("10.1.0.10", tunnelOf(bToA)),
    ]);
    expect(requiredTunnels([switched])).toEqual([bToA]);
  });

  test("a guest without a way home is refused, not half configured", () => {
    const record = awayAt("running");
    if (record.hosting === null) throw new Error("hosted");
    const lost = { ...record, hosting: { ...record.hosting, homeTunnel: null } };
    expect(() => desired(hostB, lost)).toThrow("without a way home");
  });
});

test("two guests of one tunnel share it, its filter and its rule, and keep the rest apart", () => {
  const other = awayAt("incoming", 1, web2);
  const state = desired(hostB, awayAt("incoming"), other);
  expect(state.filter.tunnelGuests).toEqual([
    { device: "tun-1", from: [], to: ["10.1.0.10", "10.1.0.11"] },
  ]);
  expect(state.rules.filter(({ table }) => table === incomingTable)).toHaveLength(1);
  const prefixes = state.routes
    .filter(({ table }) => table === incomingTable)
    .map(({ prefix }) => prefix);
  expect(prefixes).toEqual(["10.1.0.10/32", "10.1.0.11/32"]);
  expect(state.rules.map(({ table }) => table)).toEqual([
    incomingTable,
    ...[18310, mainTable],
    ...[18311, mainTable],
  ]);
  expect(state.bridges).toHaveLength(2);
  expect(requiredTunnels([awayAt("incoming"), other])).toEqual([bToA]);
});

test("the guest network of an address is the one whose subnet holds it", () => {
  expect(guestNetworkOf(hostA, "10.1.0.255")?.bridge).toBe("guests0");
  expect(guestNetworkOf(hostA, "10.1.1.0")).toBeUndefined();
  const wide = { ...hostA, guestNetworks: [{ subnet: "128.0.0.0/1", gateway: "", bridge: "w" }] };
  expect(guestNetworkOf(wide, "255.255.255.255")?.bridge).toBe("w");
  expect(guestNetworkOf(wide, "127.255.255.255")).toBeUndefined();
});
