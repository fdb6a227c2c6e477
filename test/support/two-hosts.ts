import type { DesiredState, Route } from "../../src/routing/desired.ts";
import { connect, createNamespace, type Namespace } from "./namespaces.ts";
import { desiredState, openPlaneIn, type RemotePlane } from "./routing-plane.ts";

export const guest = "10.1.0.10";
export const guestMac = "52:54:00:aa:00:01";
export const oldGatewayMac = "02:00:00:00:99:01";
export const awayBridge = "sjb00000000b";
export const tunnel = "tun0";
export const guestPort = "gport";
export const tunnelEnds = {
  a: { mac: "02:00:00:00:0a:01", address: "198.18.255.1" },
  b: { mac: "02:00:00:00:0b:01", address: "198.18.255.2" },
} as const;

/** Bytes that fit through the tunnel of each kind. */
export const tunnelMtus = { vxlan: 1450, direct: 1480 } as const;

/** client – router – {a, b}; a is home of 10.1.0.0/24 (bridge guests0), a tunnel joins a and b. */
export interface TwoHosts extends AsyncDisposable {
  client: Namespace;
  router: Namespace;
  a: Namespace;
  b: Namespace;
  guest: Namespace;
  planeA: RemotePlane;
  planeB: RemotePlane;
  /** Next hops to name in routes through the tunnel; null when it is point-to-point. */
  viaToA: string | null;
  viaToB: string | null;
}

/**
 * @param kind `vxlan` crosses the router and needs a next hop; `direct` is a link without ARP.
 */
export async function createTwoHosts(kind: "vxlan" | "direct"): Promise<TwoHosts> {
  await using stack = new AsyncDisposableStack();
  const [client, router, a, b, guestNode] = (await Promise.all(
    ["client", "router", "a", "b", "guest"].map(createNamespace),
  )) as [Namespace, Namespace, Namespace, Namespace, Namespace];
  for (const node of [client, router, a, b, guestNode]) stack.use(node);
  for (const node of [router, a, b]) await node.sysctl("net/ipv4/ip_forward", "1");
  await attach(router, "c0", "192.0.2.1", client, "192.0.2.2");
  await attach(router, "a0", "172.16.1.1", a, "172.16.1.2");
  await attach(router, "b0", "172.16.2.1", b, "172.16.2.2");
  await router.ip("route add 10.1.0.0/24 via 172.16.1.2");
  await router.ip("route add 10.2.0.0/24 via 172.16.2.2");
  for (const port of ["all", "c0", "a0", "b0"]) {
    await router.sysctl(`net/ipv4/conf/${port}/rp_filter`, "1");
  }
  await a.ip("link add name guests0 address 52:54:00:99:00:01 type bridge forward_delay 0");
  await a.ip("address add 10.1.0.1/24 dev guests0");
  await a.ip("link set dev guests0 up");
  await (kind === "vxlan" ? addVxlan(a, b) : addDirect(a, b));
  const planeA = stack.use(await openPlaneIn(a));
  const planeB = stack.use(await openPlaneIn(b));
  const owned = stack.move();
  return {
    ...{ client, router, a, b, guest: guestNode, planeA, planeB },
    viaToA: kind === "vxlan" ? tunnelEnds.a.address : null,
    viaToB: kind === "vxlan" ? tunnelEnds.b.address : null,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Plugs the guest into a bridge; the guest believes that its gateway has `oldGatewayMac` when told so. */
export async function plugGuest(hosts: TwoHosts, host: Namespace, bridge: string): Promise<void> {
  await connect(
    { namespace: host, device: guestPort },
    { namespace: hosts.guest, device: "eth0", address: `${guest}/24`, mac: guestMac },
  );
  await host.ip(`link set dev ${guestPort} master ${bridge}`);
  await hosts.guest.ip("route add default via 10.1.0.1");
}

/** What a has while the guest is at b. */
export function homeState(hosts: TwoHosts): DesiredState {
  const route: Route = {
    ...{ table: 254, prefix: `${guest}/32`, type: "unicast" },
    ...{ device: tunnel, via: hosts.viaToB, mtu: null },
  };
  return desiredState({
    routes: [route],
    neighbours: [{ kind: "proxy", device: "guests0", address: guest }],
    filter: {
      tunnelGuests: [{ device: tunnel, from: [guest], to: [guest] }],
      tunnelEnds: [],
      guestFrames: [],
      gatewayFrames: [],
      copies: [],
      ...{ tracking: true, renumbered: [] },
      sizeLimits: [{ ...sizeLimit(hosts), direction: "to" }],
    },
  });
}

/** What b has while the guest is there (`table` main) or is only prepared (incoming table). */
export function awayState(hosts: TwoHosts, table = 254): DesiredState {
  const unicast = { type: "unicast", mtu: null } as const;
  const aside = { type: "throw", device: null, via: null, mtu: null } as const;
  const conf = `net/ipv4/conf/${awayBridge}`;
  return desiredState({
    bridges: [{ name: awayBridge, mac: null }],
    routes: [
      { ...unicast, table, prefix: `${guest}/32`, device: awayBridge, via: null },
      { ...unicast, table: 18310, prefix: "default", device: tunnel, via: hosts.viaToA },
      { ...aside, table: 18310, prefix: "10.2.0.0/24" },
      { ...aside, table: 18310, prefix: `${guest}/32` },
    ],
    rules: [
      { priority: 18310, table: 18300, iif: tunnel, from: null, to: null },
      { priority: 18320, table: 18310, iif: awayBridge, from: `${guest}/32`, to: null },
    ],
    neighbours: [{ kind: "permanent", device: awayBridge, address: guest, mac: guestMac }],
    sysctls: [
      { path: `${conf}/proxy_arp`, value: "1" },
      { path: `${conf}/rp_filter`, value: "2" },
      { path: `${conf}/send_redirects`, value: "0" },
      { path: `${conf}/forwarding`, value: "1" },
      { path: `net/ipv4/neigh/${awayBridge}/proxy_delay`, value: "0" },
    ],
    filter: {
      tunnelGuests: [{ device: tunnel, from: [guest], to: [guest] }],
      tunnelEnds: [],
      guestFrames: [],
      gatewayFrames: [{ tap: guestPort, bridge: awayBridge }],
      copies: [],
      ...{ tracking: true, renumbered: [] },
      sizeLimits: [{ ...sizeLimit(hosts), direction: "from", elsewhere: ["10.2.0.0/24"] }],
    },
  });
}

function sizeLimit({ viaToA }: TwoHosts) {
  const mtu = viaToA === null ? tunnelMtus.direct : tunnelMtus.vxlan;
  return {
    address: guest,
    device: tunnel,
    mtu,
    elsewhere: [],
    adviseOnly: false,
    redirectedOnly: false,
  };
}

/** Round-trip times in ms of `count` echo requests of so many bytes (IP length), 50 ms apart; lost ones are missing. */
export async function ping(
  from: Namespace,
  target: string,
  count = 3,
  bytes = 84,
): Promise<number[]> {
  const { stdout } = await from.run(
    "/usr/bin/ping",
    ["-n", "-c", String(count), "-i", "0.05", "-W", "0.4", "-s", String(bytes - 28), target],
    { acceptExitCodes: [1] },
  );
  return [...stdout.matchAll(/ time=([\d.]+) ms/g)].map((match) => Number(match[1]));
}

/** Counts echo requests for the guest that reach the IP layer of `node` from the tunnel. */
export async function countEchoRequests(node: Namespace): Promise<() => Promise<number>> {
  const rule = `iifname ${tunnel} ip daddr ${guest} icmp type echo-request counter`;
  await node.run("nft", ["add", "table", "ip", "test"]);
  const hook = "{ type filter hook prerouting priority -350; }";
  await node.run("nft", ["add", "chain", "ip", "test", "count", hook]);
  await node.run("nft", ["add", "rule", "ip", "test", "count", ...rule.split(" ")]);
  return async () => packetsIn((await node.run("nft", ["list", "table", "ip", "test"])).stdout);
}

/** The first counter of an nft listing. */
export function packetsIn(listing: string): number {
  return Number(/counter packets (\d+)/.exec(listing)?.[1] ?? Number.NaN);
}

async function attach(
  ...[router, port, gateway, node, address]: [Namespace, string, string, Namespace, string]
): Promise<void> {
  await connect(
    { namespace: router, device: port, address: `${gateway}/24` },
    { namespace: node, device: "eth0", address: `${address}/24` },
  );
  await node.ip(`route add default via ${gateway}`);
}

async function addVxlan(a: Namespace, b: Namespace): Promise<void> {
  const shape = `type vxlan id 77 dstport 4789 nolearning`;
  const add = (mac: string) => `link add name ${tunnel} address ${mac} ${shape}`;
  await a.ip(`${add(tunnelEnds.a.mac)} local 172.16.1.2 remote 172.16.2.2`);
  await b.ip(`${add(tunnelEnds.b.mac)} local 172.16.2.2 remote 172.16.1.2`);
  const neighbour = (end: { mac: string; address: string }) =>
    `neigh add ${end.address} lladdr ${end.mac} dev ${tunnel} nud permanent`;
  for (const [node, peer] of [
    [a, tunnelEnds.b],
    [b, tunnelEnds.a],
  ] as const) {
    await node.ip(`link set dev ${tunnel} mtu ${tunnelMtus.vxlan} up`);
    await node.ip(neighbour(peer));
  }
}

/** Without ARP a frame carries the sender's own address as destination, so both ends have the same. */
async function addDirect(a: Namespace, b: Namespace): Promise<void> {
  const { mac } = tunnelEnds.a;
  await connect({ namespace: a, device: tunnel, mac }, { namespace: b, device: tunnel, mac });
  for (const node of [a, b])
    await node.ip(`link set dev ${tunnel} arp off mtu ${tunnelMtus.direct}`);
}
