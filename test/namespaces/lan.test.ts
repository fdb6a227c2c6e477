import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  announcementFrame,
  correctionFrame,
  portFrame,
} from "../../src/routing/announce/frames.ts";
import { packetsWhile } from "../support/capture.ts";
import { atHome, type LanBed, lan, openLanBed } from "../support/lan-bed.ts";
import { describeNamespace, type Namespace } from "../support/namespaces.ts";
import { countEchoRequests, guest, guestMac, ping } from "../support/two-hosts.ts";

describe("a guest on a LAN whose gateway is another machine", () => {
  let bed: LanBed;
  let before: Record<string, string>;

  beforeAll(async () => {
    bed = await openLanBed();
    await bed.atHome(atHome.settled);
    await reach();
    before = await describeNamespace(bed.hosts.a);
  });

  afterAll(() => bed?.[Symbol.asyncDispose]());

  test("its gateway and its neighbours are found", async () => {
    const { planeA } = bed.hosts;
    expect(await planeA.neighbourMac("guests0", lan.gateway)).toBe(lan.gatewayMac);
    const known = await planeA.knownNeighbours("guests0");
    expect(known).toContainEqual({ address: lan.gateway, mac: lan.gatewayMac });
  });

  test("before it leaves, all that is sent to it is copied, and nobody is told of a way around", async () => {
    const { hosts, peer } = bed;
    await bed.atHome(atHome.leaving);
    const copied = await countEchoRequests(hosts.b);
    const redirects = await packetsWhile(peer, "eth0", "icmp[0] == 5", async () => {
      await hosts.planeA.arm(guest);
      await reach();
      await hosts.planeA.disarm(guest);
    });
    expect(await copied()).toBe(9);
    expect(redirects).toEqual([]);
  });

  test("away, it is reached by all and reaches all, with ARP entries old and new", async () => {
    const { hosts, peer } = bed;
    await bed.atHome(atHome.away);
    await bed.toB();
    await reach();
    for (const node of [hosts.guest, peer, hosts.router]) await node.ip("neigh flush all");
    await reach();
    expect(await entry(hosts.guest, lan.peer)).toBe(lan.gatewayMac);
    expect(await entry(peer, guest)).toBe(lan.homeMac);
  });

  test("switches and neighbours learn where it is from what is sent", async () => {
    const { hosts, peer } = bed;
    await peer.ip(`neigh replace ${guest} lladdr ${guestMac} dev eth0 nud stale`);
    await hosts.router.run("bridge", ["fdb", "del", guestMac, "dev", "port-a", "master"], {
      acceptExitCodes: [1, 2, 255],
    });
    await hosts.planeA.sendFrames("guests0", [
      announcementFrame({ address: guest, mac: lan.homeMac, source: lan.homeMac }),
      portFrame(guestMac),
    ]);
    await expect.poll(() => entry(peer, guest)).toBe(lan.homeMac);
    const { stdout } = await hosts.router.run("bridge", ["fdb", "show", "brport", "port-a"]);
    expect(stdout).toContain(guestMac);
  });

  test("back home, it reaches a neighbour that it takes its gateway for, and learns better", async () => {
    const { hosts, peer } = bed;
    await bed.toA();
    // Unlike a guest, a machine whose cable is pulled forgets its neighbours.
    const misled = `neigh replace ${lan.peer} lladdr ${lan.gatewayMac} dev eth0 nud reachable`;
    await hosts.guest.ip(misled);
    await bed.atHome(atHome.landed);
    await reach();
    await bed.atHome(atHome.settled);
    expect(await entry(hosts.guest, lan.peer)).toBe(lan.gatewayMac);
    expect(await entry(peer, guest)).toBe(lan.homeMac);
    await reach();

    const known = await hosts.planeA.knownNeighbours("guests0");
    const others = known.filter(({ address }) => address !== guest);
    const to = { address: guest, mac: guestMac };
    await hosts.planeA.sendFrames(
      "guests0",
      others.map((one) => correctionFrame({ ...one, source: lan.homeMac, to })),
    );
    await hosts.planeA.sendFrames("guests0", [
      announcementFrame({ address: guest, mac: guestMac, source: guestMac }),
    ]);
    const { stdout } = await peer.run("cat", ["/sys/class/net/eth0/address"]);
    await expect.poll(() => entry(hosts.guest, lan.peer)).toBe(stdout.trim());
    await expect.poll(() => entry(peer, guest)).toBe(guestMac);
    await reach();
    expect(await describeNamespace(hosts.a)).toEqual(before);
  });

  /** The guest and each of the others have three answers of each other. */
  async function reach(): Promise<void> {
    const { hosts, peer, stubborn } = bed;
    for (const node of [peer, stubborn, hosts.client]) {
      expect(await ping(node, guest), node.name).toHaveLength(3);
    }
    for (const address of [lan.peer, lan.stubborn, lan.gateway, "192.0.2.2"]) {
      expect(await ping(hosts.guest, address), address).toHaveLength(3);
    }
  }

  /** The MAC address that a node has for an address; empty without one. */
  async function entry(node: Namespace, address: string): Promise<string> {
    return / lladdr (\S+)/.exec(await node.ip(`neigh show ${address}`))?.[1] ?? "";
  }
});
