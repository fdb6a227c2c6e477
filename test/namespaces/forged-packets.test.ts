import { afterEach, beforeEach, expect, test } from "vitest";
import { tunnelEnd, tunnelGuest } from "../../src/migrator/desired-parts.ts";
import { emptyDesiredState } from "../../src/routing/desired.ts";
import { endMac, networkIdentifier } from "../../src/tunnels/identity.ts";
import type { Run } from "../../src/tunnels/steps.ts";
import { ipv4, sendForged, udp, vxlan } from "../support/forged-packets.ts";
import { openPlaneIn, type RemotePlane } from "../support/routing-plane.ts";
import {
  createTunnelBed,
  ping,
  runIn,
  specOf,
  type TunnelBed,
  type TunnelHost,
} from "./tunnels-support.ts";

/**
 * The first is home, with one of its neighbours behind it; a guest of it is behind the second, another behind the third.
 * Who forges is on the way between them, and sends as anybody.
 */
let bed: TunnelBed;
let planes: { home: RemotePlane; away: RemotePlane; other: RemotePlane };
let network: Run;
let stack: AsyncDisposableStack;

const forgedPort = 9_999;
const datagram = udp(forgedPort, Buffer.alloc(26));
const [ipip, udpProtocol] = [4, 17];
const nobody = "198.51.100.7";
const moreFragments = 0x2000;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  bed = stack.use(await createTunnelBed());
  const [home, away, other] = bed.hosts;
  // A network that lets forged packets through.
  const sysctl = ["-q", "-w", "net.ipv4.conf.all.rp_filter=0"];
  network = runIn(bed.wireOfFirst.namespace);
  await network("sysctl", sysctl);
  planes = {
    home: stack.use(await openPlaneIn({ name: home.namespace } as never)),
    away: stack.use(await openPlaneIn({ name: away.namespace } as never)),
    other: stack.use(await openPlaneIn({ name: other.namespace } as never)),
  };
}, 30_000);

afterEach(() => stack.disposeAsync());

test("of 10 000 forged packets none is delivered and all are counted, while the guests' own go on", async () => {
  const [home, away, other] = bed.hosts;
  await connectAll("ipip");
  const arrived = await Promise.all(bed.hosts.map(countForged));
  const [neighbour, guest, sibling] = bed.hosts.map(({ innerAddress }) => innerAddress) as Three;
  const [atHome, atAway, atOther] = bed.hosts.map(
    ({ underlayAddress }) => underlayAddress,
  ) as Three;
  const inner = (
    from: string,
    to: string,
    rest: { totalLength?: number; fragment?: number } = {},
  ) => ipv4({ from, to, protocol: udpProtocol, payload: datagram, ...rest });
  const outer = (from: string, to: string, payload: Buffer, fragment = 0) =>
    ipv4({ from, to, protocol: ipip, payload, fragment });
  const toGuest = inner(neighbour, guest);
  const nested = outer(atHome, atAway, toGuest);
  const toHome = {
    fromNobody: [{ times: 500, packet: outer(nobody, atHome, inner(guest, neighbour)) }],
    throughAnothersTunnel: [
      { times: 1_000, packet: outer(atOther, atHome, inner(guest, neighbour)) },
      { times: 500, packet: outer(atOther, atHome, inner(guest, sibling)) },
      { times: 500, packet: outer(atAway, atHome, inner(sibling, neighbour)) },
    ],
    fromNoGuest: [
      { times: 500, packet: outer(atOther, atHome, inner(neighbour, sibling)) },
      { times: 500, packet: outer(atAway, atHome, inner(nobody, neighbour, { fragment: 3 })) },
    ],
  };
  const toAway = {
    fromNoPeer: [
      { times: 1_000, packet: outer(nobody, atAway, toGuest) },
      { times: 500, packet: outer(atOther, atAway, toGuest) },
    ],
    toNoGuest: [
      { times: 500, packet: outer(atHome, atAway, inner(nobody, "10.2.0.77")) },
      { times: 500, packet: outer(atHome, atAway, inner(nobody, atAway)) },
      { times: 500, packet: outer(atHome, atAway, inner(neighbour, sibling)) },
      { times: 500, packet: outer(atHome, atAway, inner(guest, neighbour)) },
      { times: 1_000, packet: outer(atHome, atAway, nested) },
      {
        times: 500,
        packet: outer(atHome, atAway, inner(nobody, neighbour, { fragment: moreFragments })),
      },
    ],
    damaged: [
      {
        times: 500,
        packet: outer(atHome, atAway, inner(neighbour, guest, { totalLength: 1_400 })),
      },
      { times: 250, packet: outer(atHome, atAway, toGuest.subarray(0, 12)) },
      { times: 500, packet: outer(atHome, atAway, toGuest, moreFragments) },
      { times: 250, packet: outer(atHome, atAway, toGuest, 5) },
    ],
  };
  const forged = [toHome, toAway].flatMap((kinds) => Object.values(kinds).flat());
  const [sent] = await Promise.all([
    sendForged(network, forged),
    ...[away, other].map((host) => pingMany(home, host, 1_480)),
    pingMany(away, other, 1_480),
  ]);
  expect(sent).toBe(10_000);
  expect(await Promise.all(arrived.map((count) => count()))).toEqual([0, 0, 0]);
  const counted = await refused();
  expect(counted).toEqual({
    home: { outer_address: 500, inner_address: 3_000, malformed: 0 },
    away: { outer_address: 1_500, inner_address: 3_500, malformed: 1_500 },
    other: { outer_address: 0, inner_address: 0, malformed: 0 },
  });
  // What was counted is kept when the filter changes.
  await planes.home.apply(emptyDesiredState);
  expect(await planes.home.refusedPackets()).toEqual(counted.home);
}, 60_000);

test("of a VXLAN network nothing is taken but its guests' packets from its other end", async () => {
  const [home, away, other] = bed.hosts;
  await bed.connect("vxlan", home, away);
  const arrived = await countForged(away);
  const [neighbour, guest, sibling] = bed.hosts.map(({ innerAddress }) => innerAddress) as Three;
  const [atHome, atAway, atOther] = bed.hosts.map(
    ({ underlayAddress }) => underlayAddress,
  ) as Three;
  const [toAway, toOther] = [away, other].map((end) =>
    networkIdentifier(specOf("vxlan", home, end)),
  ) as [number, number];
  const inner = (from: string, to: string, rest: { totalLength?: number } = {}) =>
    ipv4({ from, to, protocol: udpProtocol, payload: datagram, ...rest });
  const outer = (from: string, to: string, payload: Buffer, fragment = 0) =>
    ipv4({ from, to, protocol: udpProtocol, payload, fragment });
  const frame = (packet: Buffer, vni = toAway, mac = endMac(vni, atAway)) =>
    udp(vxlanPort, vxlan(vni, mac, packet));
  const toGuest = frame(inner(neighbour, guest));
  const forged = outer(atOther, atAway, toGuest);
  // The first fragment ends before the network is told.
  const fragments = [
    outer(atOther, atAway, toGuest.subarray(0, 8), moreFragments),
    outer(atOther, atAway, toGuest.subarray(8), 1),
  ].map((packet) => ({ times: 1, packet }));
  await sendForged(network, [{ times: 10, packet: forged }, ...fragments]);
  expect(await arrived()).toBe(11);

  await connectAll("vxlan");
  const fromHome = (payload: Buffer) => outer(atHome, atAway, payload);
  const changed = (offset: number, bytes: number[]) => {
    const payload = Buffer.from(toGuest);
    Buffer.from(bytes).copy(payload, offset);
    return fromHome(payload);
  };
  const header = 8 + 8;
  const nested = inner(atHome, atAway);
  const fromOther = (packet: Buffer) =>
    outer(atOther, atHome, frame(packet, toOther, endMac(toOther, atHome)));
  const [sent] = await Promise.all([
    sendForged(network, [
      { times: 1_000, packet: forged },
      { times: 500, packet: fromOther(inner(guest, neighbour)) },
      { times: 500, packet: fromHome(frame(inner(nobody, "10.2.0.77"))) },
      { times: 500, packet: fromHome(frame(inner(neighbour, sibling))) },
      { times: 500, packet: fromHome(frame(nested)) },
      // ARP, IPv6, IPv4 of another version, to everybody, without a network, and nothing at all.
      { times: 250, packet: changed(header + 12, [0x08, 0x06]) },
      { times: 250, packet: changed(header + 12, [0x86, 0xdd]) },
      { times: 250, packet: changed(header + 14, [0x65]) },
      { times: 250, packet: changed(header, [255, 255, 255, 255, 255, 255]) },
      { times: 250, packet: changed(8, [0]) },
      { times: 250, packet: fromHome(udpOf(toGuest.subarray(8, header + 10))) },
      { times: 500, packet: fromHome(frame(inner(neighbour, guest, { totalLength: 1_400 }))) },
      ...fragments,
    ]),
    ...[away, other].map((host) => pingMany(home, host, 1_450)),
    pingMany(away, other, 1_450),
  ]);
  expect(sent).toBe(5_002);
  // Somebody else's network.
  await sendForged(network, [
    { times: 100, packet: outer(atOther, atAway, frame(inner(neighbour, guest), toAway ^ 1)) },
  ]);
  expect(await arrived()).toBe(11);
  expect(await refused()).toEqual({
    home: { inner_address: 500, outer_address: 0, malformed: 0 },
    away: { inner_address: 1_500, outer_address: 1_001, malformed: 1_500 },
    other: { inner_address: 0, outer_address: 0, malformed: 0 },
  });
  // What says that it is longer than it is the kernel refuses by itself.
  expect(await truncated(away)).toBe(500);
}, 60_000);

type Three = [string, string, string];

const vxlanPort = 4_789;

function udpOf(payload: Buffer): Buffer {
  return udp(vxlanPort, payload);
}

async function refused() {
  const { home, away, other } = planes;
  return {
    home: await home.refusedPackets(),
    away: await away.refusedPackets(),
    other: await other.refusedPackets(),
  };
}

/** Packets that the host's kernel has found to be shorter than they say (InTruncatedPkts). */
async function truncated({ run }: TunnelHost): Promise<number> {
  const { stdout } = await run("grep", ["^IpExt:", "/proc/net/netstat"]);
  const [names = [], values = []] = stdout.split("\n").map((line) => line.split(" "));
  return Number(values[names.indexOf("InTruncatedPkts")]);
}

/** As the hosts of two guests that are away from home have it, who reach one another through home. */
async function connectAll(kind: "ipip" | "vxlan"): Promise<void> {
  const [home, away, other] = bed.hosts;
  for (const [host, sibling] of [
    [away, other],
    [other, away],
  ] as const) {
    await bed.connect(kind, home, host);
    const { interfaceName, nextHop } = await host.tunnels.ensure(specOf(kind, host, home));
    const via = nextHop === null ? [] : ["via", nextHop, "onlink"];
    await host.run("ip", ["route", "replace", sibling.innerSubnet, ...via, "dev", interfaceName]);
    await filter(planes[host === away ? "away" : "other"], kind, host, [home], "to");
  }
  await filter(planes.home, kind, home, [away, other], "from");
  for (const host of [away, other]) await ping(home, host, 1_000);
}

async function filter(
  plane: RemotePlane,
  kind: "ipip" | "vxlan",
  here: TunnelHost,
  peers: readonly TunnelHost[],
  direction: "from" | "to",
): Promise<void> {
  const tunnelGuests = [];
  const tunnelEnds = [];
  for (const peer of peers) {
    const tunnel = await here.tunnels.ensure(specOf(kind, here, peer));
    const guest = direction === "from" ? peer : here;
    tunnelGuests.push(tunnelGuest(direction, guest.innerAddress, tunnel));
    tunnelEnds.push(tunnelEnd(tunnel));
  }
  const parts = { tracking: true, tunnelGuests, tunnelEnds };
  await plane.apply({ ...emptyDesiredState, filter: { ...emptyDesiredState.filter, ...parts } });
}

/** Counts whatever reaches the machine behind a host and is no echo. */
async function countForged(host: TunnelHost): Promise<() => Promise<number>> {
  const nft = (line: string) => runIn(host.behind)("nft", line.split(" "));
  await nft("add table ip t");
  await nft("add chain ip t f { type filter hook prerouting priority -450; }");
  await nft("add rule ip t f ip protocol != icmp counter");
  return async () => {
    const { stdout } = await nft("list table ip t");
    return Number(/counter packets (\d+)/.exec(stdout)?.[1] ?? Number.NaN);
  };
}

/** Rejects unless every echo request is answered. */
async function pingMany(from: TunnelHost, to: TunnelHost, bytes: number): Promise<void> {
  const how = ["-q", "-c", "200", "-i", "0.005", "-W", "2", "-s", `${bytes - 28}`, "-M", "do"];
  const { stdout } = await runIn(from.behind)("ping", [...how, to.innerAddress]);
  expect(stdout).toContain(" 0% packet loss");
}
