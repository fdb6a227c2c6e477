import { afterEach, beforeEach, expect, test } from "vitest";
import { tunnelEnd, tunnelGuest } from "../../src/migrator/desired-parts.ts";
import { emptyDesiredState } from "../../src/routing/desired.ts";
import { endMac, networkIdentifier } from "../../src/tunnels/identity.ts";
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

/** The first is home; the guest is behind the second, one of home's neighbours behind the first; the third is nobody. */
let bed: TunnelBed;
let planes: { home: RemotePlane; away: RemotePlane };
let stack: AsyncDisposableStack;

const forgedPort = 9_999;
const datagram = udp(forgedPort, Buffer.alloc(26));
const [ipip, udpProtocol] = [4, 17];
const moreFragments = 0x2000;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  bed = stack.use(await createTunnelBed());
  const [home, away] = bed.hosts;
  // A network that lets forged packets through.
  const sysctl = ["-q", "-w", "net.ipv4.conf.all.rp_filter=0"];
  await runIn(bed.wireOfFirst.namespace)("sysctl", sysctl);
  planes = {
    home: stack.use(await openPlaneIn({ name: home.namespace } as never)),
    away: stack.use(await openPlaneIn({ name: away.namespace } as never)),
  };
}, 30_000);

afterEach(() => stack.disposeAsync());

test("of 10 000 forged packets none is delivered and all are counted, while the guest's own go on", async () => {
  const [home, away, nobody] = bed.hosts;
  await bed.connect("ipip", home, away);
  await filterBothEnds("ipip");
  const arrived = await Promise.all([home, away].map(countForged));
  const guest = away.innerAddress;
  const neighbour = home.innerAddress;
  const [atHome, atAway] = [home.underlayAddress, away.underlayAddress];
  const inner = (
    from: string,
    to: string,
    rest: { totalLength?: number; fragment?: number } = {},
  ) => ipv4({ from, to, protocol: udpProtocol, payload: datagram, ...rest });
  const outer = (from: string, to: string, payload: Buffer, fragment = 0) =>
    ipv4({ from, to, protocol: ipip, payload, fragment });
  const toGuest = inner(neighbour, guest);
  const nested = outer(atHome, atAway, toGuest);
  const forged = [
    { times: 1_000, packet: outer(nobody.underlayAddress, atAway, toGuest) },
    { times: 500, packet: outer("198.51.100.7", atAway, toGuest) },
    { times: 500, packet: outer(nobody.underlayAddress, atHome, inner(guest, neighbour)) },
    // From here on as if the tunnel's other end had sent them.
    { times: 500, packet: outer(atHome, atAway, inner("203.0.113.9", "10.2.0.77")) },
    { times: 500, packet: outer(atHome, atAway, inner("203.0.113.9", atAway)) },
    { times: 500, packet: outer(atHome, atAway, inner(guest, neighbour)) },
    { times: 1_000, packet: outer(atAway, atHome, inner("203.0.113.9", neighbour)) },
    { times: 500, packet: outer(atAway, atHome, inner(neighbour, guest)) },
    { times: 1_500, packet: outer(atHome, atAway, nested) },
    {
      times: 500,
      packet: outer(atHome, atAway, inner("203.0.113.9", neighbour, { fragment: moreFragments })),
    },
    { times: 500, packet: outer(atAway, atHome, inner("203.0.113.9", neighbour, { fragment: 3 })) },
    {
      times: 1_000,
      packet: outer(atHome, atAway, inner(neighbour, guest, { totalLength: 1_400 })),
    },
    { times: 500, packet: outer(atHome, atAway, toGuest.subarray(0, 12)) },
    { times: 500, packet: outer(atHome, atAway, toGuest, moreFragments) },
    { times: 500, packet: outer(atHome, atAway, toGuest, 5) },
  ];
  const [sent] = await Promise.all([
    sendForged(nobody.run, forged),
    ...[200, 1_480].map((bytes) => pingMany(home, away, bytes)),
  ]);
  expect(sent).toBe(10_000);
  expect([await arrived[0]?.(), await arrived[1]?.()]).toEqual([0, 0]);
  const counted = {
    home: await planes.home.refusedPackets(),
    away: await planes.away.refusedPackets(),
  };
  expect(counted).toEqual({
    home: { outer_address: 500, inner_address: 2_000, malformed: 0 },
    away: { outer_address: 1_500, inner_address: 3_500, malformed: 2_500 },
  });
  // What was counted is kept when the filter changes.
  await planes.home.apply(emptyDesiredState);
  expect(await planes.home.refusedPackets()).toEqual(counted.home);
}, 60_000);

test("packets of a tunnel's VXLAN network are taken from its other end only", async () => {
  const [home, away, nobody] = bed.hosts;
  await bed.connect("vxlan", home, away);
  const arrived = await countForged(away);
  const vni = networkIdentifier(specOf("vxlan", away, home));
  const toGuest = ipv4({
    ...{ from: home.innerAddress, to: away.innerAddress },
    ...{ protocol: udpProtocol, payload: datagram },
  });
  const wrapped = (network: number) =>
    udp(4_789, vxlan(network, endMac(vni, away.underlayAddress), toGuest));
  const ends = { from: nobody.underlayAddress, to: away.underlayAddress };
  const forged = ipv4({ ...ends, protocol: udpProtocol, payload: wrapped(vni) });
  // The first fragment ends before the network is told.
  const fragments = [
    { fragment: moreFragments, payload: wrapped(vni).subarray(0, 8) },
    { fragment: 1, payload: wrapped(vni).subarray(8) },
  ].map((rest) => ({ times: 1, packet: ipv4({ ...ends, protocol: udpProtocol, ...rest }) }));
  await sendForged(nobody.run, [{ times: 10, packet: forged }, ...fragments]);
  expect(await arrived()).toBe(11);

  await filterBothEnds("vxlan");
  await Promise.all([
    sendForged(nobody.run, [{ times: 1_000, packet: forged }, ...fragments]),
    pingMany(home, away, 1_450),
  ]);
  const others = ipv4({ ...ends, protocol: udpProtocol, payload: wrapped(vni ^ 1) });
  await sendForged(nobody.run, [{ times: 100, packet: others }]);
  expect(await arrived()).toBe(11);
  expect(await planes.away.refusedPackets()).toEqual({
    ...{ inner_address: 0, outer_address: 1_001, malformed: 0 },
  });
}, 60_000);

/** As the hosts of a guest that is away from home have it. */
async function filterBothEnds(kind: "ipip" | "vxlan"): Promise<void> {
  const [home, away] = bed.hosts;
  const apply = async (plane: RemotePlane, here: TunnelHost, there: TunnelHost) => {
    const tunnel = await here.tunnels.ensure(specOf(kind, here, there));
    const direction = here === home ? "from" : "to";
    const filter = {
      ...emptyDesiredState.filter,
      tracking: true,
      tunnelGuests: [tunnelGuest(direction, away.innerAddress, tunnel)],
      tunnelEnds: [tunnelEnd(tunnel)],
    };
    await plane.apply({ ...emptyDesiredState, filter });
  };
  await apply(planes.home, home, away);
  await apply(planes.away, away, home);
  await ping(home, away, 1_000);
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
