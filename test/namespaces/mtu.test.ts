import { expect, test } from "vitest";
import type { Route } from "../../src/routing/desired.ts";
import { packetsWhile } from "../support/capture.ts";
import {
  clientAddress,
  exchange,
  filterIcmp,
  learnedMtu,
  openPeers,
  reassembled,
  replug,
  retransmissions,
} from "../support/mtu-bed.ts";
import { describeNamespace } from "../support/namespaces.ts";
import { desiredState } from "../support/routing-plane.ts";
import {
  awayBridge,
  awayState,
  countEchoRequests,
  createTwoHosts,
  guest,
  homeState,
  plugGuest,
  tunnel,
  tunnelMtus,
} from "../support/two-hosts.ts";

/** Enough for full-size segments at home. */
const homeMs = 200;
/** Long enough for several retransmission time-outs, were there any. */
const watchMs = 1_500;

const matrix = (["direct", "vxlan"] as const).flatMap((kind) =>
  [true, false].flatMap((icmp) => [true, false].map((df) => ({ kind, icmp, df }))),
);

test.each(matrix)(
  "a session of full-size segments and 1500-byte datagrams go on both ways ($kind, ICMP heard: $icmp, DF: $df)",
  async ({ kind, icmp, df }) => {
    await using hosts = await createTwoHosts(kind);
    const { client, guest: inside, planeA, planeB } = hosts;
    for (const node of [client, inside]) {
      await node.sysctl("net/ipv4/ip_no_pmtu_disc", df ? "0" : "1");
      if (!icmp) await filterIcmp(node);
    }
    await plugGuest(hosts, hosts.a, "guests0");
    await using peers = await openPeers(hosts);
    await exchange(peers.all, homeMs);
    await planeB.apply(awayState(hosts));
    await replug(hosts);
    await planeA.apply(homeState(hosts));
    expect(await learnedMtu(client, guest)).toBeNull();

    const before = await Promise.all([client, inside].map(retransmissions));
    const counts = await exchange(peers.all, watchMs);
    const after = await Promise.all([client, inside].map(retransmissions));
    for (const [index, seen] of counts.entries()) {
      expect(seen.hasWrongBytes).toBe(false);
      expect(seen.received).toBeGreaterThan(1_000_000);
      expect(seen.longestGapMs).toBeLessThan(200);
      expect(seen.datagramsReceived).toBe(counts[1 - index]?.datagramsSent);
    }
    expect(after.map(({ timeouts }) => timeouts)).toEqual(before.map(({ timeouts }) => timeouts));
    const fits = df && icmp ? tunnelMtus[kind] : null;
    expect(await learnedMtu(client, guest)).toBe(fits);
    expect(await learnedMtu(inside, clientAddress)).toBe(fits);
    expect(await reassembled(inside)).toBeGreaterThan(0);
    expect(await reassembled(client)).toBeGreaterThan(0);
  },
);

test.each(["direct", "vxlan"] as const)(
  "a new session is given segments that fit, whoever opens it (%s)",
  async (kind) => {
    await using hosts = await createTwoHosts(kind);
    await hosts.planeA.apply(homeState(hosts));
    await hosts.planeB.apply(awayState(hosts));
    await plugGuest(hosts, hosts.b, awayBridge);
    const ends = [
      { from: hosts.client, to: hosts.guest, address: guest },
      { from: hosts.guest, to: hosts.client, address: clientAddress },
    ];
    for (const { from, to, address } of ends) {
      const segments = await packetsWhile(to, "eth0", "tcp[tcpflags] & tcp-syn != 0", async () => {
        await from.run("busybox", ["nc", "-w", "1", address, "9"], { acceptExitCodes: [1] });
      });
      expect(segments[0]).toContain(`mss ${tunnelMtus[kind] - 40}`);
    }
  },
);

test("what the armed source copies arrives whole though it is too large, DF set and ICMP unheard", async () => {
  await using hosts = await createTwoHosts("direct");
  const { client, planeA } = hosts;
  const home = homeState(hosts);
  await plugGuest(hosts, hosts.a, "guests0");
  await filterIcmp(client);
  await planeA.apply({
    ...home,
    neighbours: [],
    routes: [{ ...home.routes[0], device: "guests0", via: null, mtu: tunnelMtus.direct } as Route],
    filter: { ...home.filter, copies: [{ address: guest, device: tunnel, gateway: guest }] },
  });
  const arrived = await countEchoRequests(hosts.b);
  await planeA.arm(guest);
  const fullSize = ["-M", "do", "-s", "1472", "-c", "5", "-i", "0.05", "-W", "1"];
  expect((await client.run("ping", [...fullSize, guest])).stdout).toContain(" 5 received");
  expect(await arrived()).toBe(5);
});

test("nothing of it is left when nothing is asked for", async () => {
  await using hosts = await createTwoHosts("direct");
  const before = await describeNamespace(hosts.a);
  await hosts.planeA.apply(homeState(hosts));
  const plan = await hosts.planeA.plan(homeState(hosts));
  expect(plan).toEqual([]);
  await hosts.planeA.apply(desiredState({}));
  expect(await describeNamespace(hosts.a)).toEqual(before);
});
