import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DesiredState } from "../../src/routing/desired.ts";
import {
  connect,
  createNamespace,
  describeNamespace,
  type Namespace,
} from "../support/namespaces.ts";
import { desiredState, openPlaneIn, type RemotePlane } from "../support/routing-plane.ts";

const bridge = "sjb000000001";
const tap = "sjp000000001";
const homeTap = "sjp000000002";
const guest = "10.1.0.10";
const guestMac = "52:54:00:aa:00:01";
let stack: AsyncDisposableStack;
let host: Namespace;
let plane: RemotePlane;
let stateFolder: string;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  host = stack.use(await createNamespace("host"));
  const other = stack.use(await createNamespace("other"));
  await connect(
    { namespace: host, device: "tun0", address: "192.168.9.1/24" },
    { namespace: other, device: "tun0" },
  );
  await host.ip("link add name guests0 address 52:54:00:99:00:01 type bridge");
  await host.ip("address add 10.9.0.1/24 dev guests0");
  await host.ip("link set dev guests0 up");
  await connect({ namespace: host, device: "sibling" }, { namespace: other, device: "eth1" });
  await host.ip("link set dev sibling master guests0");
  stateFolder = await mkdtemp(`${tmpdir()}/sojourn-test-`);
  stack.defer(() => rm(stateFolder, { recursive: true, force: true }));
  plane = stack.use(await openPlaneIn(host, stateFolder));
});

afterEach(() => stack.disposeAsync());

const full: DesiredState = desiredState({
  bridges: [{ name: bridge, mac: null }],
  taps: [
    { name: tap, bridge, txQueueLength: 5000 },
    { name: homeTap, bridge: "guests0", txQueueLength: 2000 },
  ],
  routes: [
    { table: 18300, prefix: `${guest}/32`, type: "unicast", device: bridge, via: null, mtu: null },
    { table: 18310, prefix: "default", type: "unicast", device: "tun0", via: null, mtu: 1480 },
    { table: 18310, prefix: "10.9.0.0/24", type: "throw", device: null, via: null, mtu: null },
    {
      table: 254,
      prefix: "10.9.0.77",
      type: "unicast",
      device: "tun0",
      via: "192.168.77.1",
      mtu: null,
    },
    { table: 18311, prefix: "default", type: "unreachable", device: null, via: null, mtu: null },
  ],
  rules: [
    { priority: 18310, table: 18300, iif: "tun0", from: null, to: null },
    { priority: 18315, table: 18310, iif: bridge, from: null, to: `${guest}/32` },
    ...[0, 0x0080_0000].map((value) => ({
      ...{ priority: 18316, table: 254, iif: bridge, from: `${guest}/32`, to: null },
      mark: { value, mask: 0x0080_0000 },
    })),
    { priority: 18320, table: 18310, iif: bridge, from: `${guest}/32`, to: null },
  ],
  neighbours: [
    { kind: "permanent", device: bridge, address: guest, mac: guestMac },
    { kind: "proxy", device: "guests0", address: "10.9.0.77" },
  ],
  fdb: [{ device: tap, mac: guestMac }],
  sysctls: [
    { path: `net/ipv4/conf/${bridge}/proxy_arp`, value: "1" },
    { path: "net.ipv4.conf.tun0.rp_filter", value: "2" },
    { path: `net/ipv4/neigh/${bridge}/proxy_delay`, value: "0" },
    { path: "net/netfilter/nf_conntrack_acct", value: "1", ifThere: true },
    { path: "net/netfilter/nf_conntrack_no_such_switch", value: "1", ifThere: true },
  ],
  filter: {
    tunnelGuests: [{ device: "tun0", from: [guest], to: [guest] }],
    tunnelEnds: [],
    guestFrames: [],
    gatewayFrames: [
      { tap, bridge },
      { tap: homeTap, bridge: "guests0" },
    ],
    copies: [{ address: guest, device: "tun0", gateway: guest }],
    sizeLimits: [
      {
        ...{ address: guest, device: "tun0", mtu: 1480 },
        ...{ direction: "from", elsewhere: ["10.2.0.0/24", "10.3.0.0/16"], adviseOnly: false },
        redirectedOnly: true,
      },
    ],
    tracking: true,
    renumbered: [
      { guest, address: "10.2.0.50", bridge, tap, tunnels: ["tun0"], retired: false },
      {
        guest: "10.9.0.11",
        address: "10.2.0.51",
        bridge: "guests0",
        tap: homeTap,
        tunnels: [],
        retired: true,
      },
    ],
  },
});

test("apply makes everything, a second time nothing, and the empty state leaves nothing behind", async () => {
  await host.ip("rule add pref 100 from 10.77.0.0/16 lookup 77");
  await host.ip("route add 10.77.0.0/16 dev tun0 table 77");
  await host.run("nft", ["add", "table", "ip", "somebody"]);
  const before = await describeNamespace(host);
  const rpFilter = async () =>
    (await host.run("cat", ["/proc/sys/net/ipv4/conf/tun0/rp_filter"])).stdout;
  const rpFilterBefore = await rpFilter();
  const counting = async () =>
    (await host.run("cat", ["/proc/sys/net/netfilter/nf_conntrack_acct"])).stdout;
  const countingBefore = await counting();

  const planned = await plane.plan(full);
  expect(await describeNamespace(host)).toEqual(before);
  const applied = await plane.apply(full);
  expect(applied.made).toEqual(planned.map(({ command }) => command));
  expect(applied.removed).toEqual([]);
  expect(await plane.apply(full)).toEqual({ made: [], removed: [] });
  expect(await plane.plan(full)).toEqual([]);

  const during = await describeNamespace(host);
  expect(during.links).toMatch(new RegExp(`${tap}: .*master ${bridge} .*qlen 5000`));
  expect(during.links).toMatch(new RegExp(`${homeTap}: .*master guests0 `));
  expect(during.routes).toContain("default dev tun0 table 18310 proto 183 scope link mtu 1480");
  expect(during.routes).toContain(
    "10.9.0.77 via 192.168.77.1 dev tun0 table main proto 183 scope global onlink",
  );
  expect(during.rules).toContain(`18320:\tfrom ${guest} iif ${bridge} lookup 18310 proto 183`);
  expect(during.rules).toContain(
    `18316:\tfrom ${guest} fwmark 0/0x800000 iif ${bridge} lookup main proto 183`,
  );
  expect(during.routes).toContain("unreachable default table 18311 proto 183");
  expect(await counting()).toBe("1\n");
  expect(during.neighbours).toContain(
    `${guest} dev ${bridge} lladdr ${guestMac} PERMANENT proto 183`,
  );
  expect(during.proxies).toContain("10.9.0.77 dev guests0 proxy proto 183");
  expect(during.fdb).toContain(`${guestMac} dev ${tap} master ${bridge} static`);
  expect(await rpFilter()).toBe("2\n");

  await plane.apply(desiredState({}));
  expect(await describeNamespace(host)).toEqual(before);
  expect(await rpFilter()).toBe(rpFilterBefore);
  expect(await counting()).toBe(countingBefore);
});

test("a tap's queue is lengthened without a process, never shortened, and what it has no room for is counted", async () => {
  await plane.apply(full);
  await plane.lengthenQueue(tap, 4000);
  expect((await describeNamespace(host)).links).toMatch(new RegExp(`${tap}: .*qlen 5000`));
  await plane.lengthenQueue(tap, 9000);
  expect(await plane.apply(full)).toEqual({ made: [], removed: [] });
  expect((await describeNamespace(host)).links).toMatch(new RegExp(`${tap}: .*qlen 9000`));
  await expect(plane.lengthenQueue("sjp000000000", 1)).rejects.toMatchObject({
    code: "SOJ_ROUTING_NO_DEVICE",
  });

  expect(await plane.linkCounters("sjp000000000")).toBeNull();
  const before = await plane.linkCounters("tun0");
  await host.run("ping", ["-c", "3", "-i", "0.01", "-W", "1", "192.168.9.2"], {
    acceptExitCodes: [1],
  });
  const after = await plane.linkCounters("tun0");
  expect(after?.txPackets).toBeGreaterThan(before?.txPackets ?? Number.POSITIVE_INFINITY);
  expect(after?.txDropped).toBe(before?.txDropped);
});

test("a new process restores sysctls that an earlier one changed", async () => {
  const path = "net/ipv4/conf/tun0/rp_filter";
  await host.sysctl(path, "1");
  await plane.apply(desiredState({ sysctls: [{ path, value: "2" }] }));
  await plane[Symbol.asyncDispose]();
  await using successor = await openPlaneIn(host, stateFolder);
  await successor.apply(desiredState({}));
  expect((await host.run("cat", [`/proc/sys/${path}`])).stdout).toBe("1\n");
});

test("what others change in our objects is repaired", async () => {
  await plane.apply(full);
  const wanted = await describeNamespace(host);
  await host.ip("route del default table 18310");
  await host.ip(`rule del pref 18320`);
  await host.ip(`link set dev ${tap} txqueuelen 10`);
  await host.run("bridge", ["link", "set", "dev", tap, "learning", "on"]);
  await host.run("nft", ["flush", "table", "ip", "sojourn"]);
  const { made } = await plane.apply(full);
  expect(made).toHaveLength(5);
  expect(inAnyOrder(await describeNamespace(host))).toEqual(inAnyOrder(wanted));
  await host.run("nft", ["flush", "ruleset"]);
  expect((await plane.apply(full)).made).toHaveLength(1);
});

/** Tables and rules made anew come last in listings. */
function inAnyOrder(description: Record<string, string>) {
  const lines = Object.entries(description).map(([k, text]) => [k, text.split("\n").toSorted()]);
  return Object.fromEntries(lines);
}

test.each([
  ["route", `route add ${guest}/32 dev tun0 table 18300`],
  ["rule", `rule add pref 18320 iif ${bridge} from ${guest} lookup 55`],
  ["proxy", "neigh add proxy 10.9.0.77 dev guests0"],
  ["interface", `link add name ${tap} type veth peer name other1`],
])("somebody else's %s in the way is refused and nothing changes", async (_kind, line) => {
  await host.ip(line);
  const before = await describeNamespace(host);
  await expect(plane.apply(full)).rejects.toMatchObject({
    code: "SOJ_ROUTING_FOREIGN",
    exitCode: 3,
  });
  expect(await describeNamespace(host)).toEqual(before);
});

test("a line that fails takes back what was done before it and is named", async () => {
  await plane.apply(desiredState({ routes: full.routes.slice(3) }));
  const before = await describeNamespace(host);
  const broken = desiredState({
    ...full,
    routes: [
      { ...full.routes[3], device: "guests0" } as (typeof full.routes)[number],
      ...full.routes.slice(0, 3),
      {
        table: 254,
        prefix: "10.66.0.0/16",
        type: "unicast",
        device: "gone0",
        via: null,
        mtu: null,
      },
    ],
  });
  await expect(plane.apply(broken)).rejects.toMatchObject({
    code: "SOJ_ROUTING_APPLY_FAILED",
    message: expect.stringContaining("ip route add 10.66.0.0/16 dev gone0"),
  });
  expect(await describeNamespace(host)).toEqual(before);
  expect(await plane.plan(desiredState({ routes: full.routes.slice(3) }))).toEqual([]);
});

test("a route is replaced and removed over the warm socket, and only ours", async () => {
  const route = { table: 254, prefix: `${guest}/32`, type: "unicast", via: null } as const;
  await plane.apply(desiredState({ bridges: [{ name: bridge, mac: null }] }));
  await plane.warm(["tun0", bridge]);
  await plane.replaceRoute({ ...route, device: bridge, mtu: 1400 });
  expect(await host.ip(`route show ${guest}`)).toContain(`dev ${bridge} proto 183`);
  await plane.replaceRoute({ ...route, device: "tun0", via: "192.168.77.1", mtu: 1480 });
  expect(await host.ip(`route show ${guest}`)).toBe(
    `${guest} via 192.168.77.1 dev tun0 proto 183 onlink mtu 1480 \n`,
  );
  await plane.deleteRoute({ ...route, device: "tun0", mtu: null });
  await plane.deleteRoute({ ...route, device: "tun0", mtu: null });
  expect(await host.ip(`route show ${guest}`)).toBe("");
  await host.ip(`route add ${guest} dev tun0`);
  await plane.deleteRoute({ ...route, device: "tun0", mtu: null });
  expect(await host.ip(`route show ${guest}`)).toContain("dev tun0");
  await expect(plane.replaceRoute({ ...route, device: "gone0", mtu: null })).rejects.toMatchObject({
    code: "SOJ_ROUTING_NO_DEVICE",
  });
  await host.ip("link del tun0");
  await host.ip("link add name tun0 type bridge");
  await host.ip("link set dev tun0 up");
  await plane.replaceRoute({ ...route, device: "tun0", mtu: null });
  expect(await host.ip(`route show ${guest}`)).toContain("dev tun0 proto 183");
});

test("links and routes can be asked for", async () => {
  expect(await plane.linkMtu("tun0")).toBe(1500);
  expect(await plane.linkMac("tun0")).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
  expect(await plane.linkMac("gone0")).toBeNull();
  expect(await plane.routeTo("192.168.9.7")).toEqual({
    device: "tun0",
    sourceAddress: "192.168.9.1",
  });
  await expect(plane.routeTo("8.8.8.8")).rejects.toMatchObject({ code: "SOJ_ROUTING_NO_ROUTE" });
});
