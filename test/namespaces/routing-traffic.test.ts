import { expect, test } from "vitest";
import { incomingTable } from "../../src/routing/desired.ts";
import { packetsWhile } from "../support/capture.ts";
import {
  awayBridge,
  awayState,
  countEchoRequests,
  createTwoHosts,
  guest,
  guestMac,
  guestPort,
  homeState,
  oldGatewayMac,
  ping,
  plugGuest,
  tunnel,
  tunnelEnds,
} from "../support/two-hosts.ts";

test.each(["vxlan", "direct"] as const)(
  "a guest away from home is reached and answers through its home (%s)",
  async (kind) => {
    await using hosts = await createTwoHosts(kind);
    const { client, planeA, planeB } = hosts;
    await planeA.apply(homeState(hosts));
    await planeB.apply(awayState(hosts));
    await plugGuest(hosts, hosts.b, awayBridge);
    expect(await ping(client, guest)).toHaveLength(3);
    expect(await ping(hosts.guest, "192.0.2.2")).toHaveLength(3);
    expect(await ping(hosts.a, guest)).toHaveLength(3);

    const withoutRule = awayState(hosts);
    withoutRule.rules = withoutRule.rules.filter(({ from }) => from === null);
    await planeB.apply(withoutRule);
    expect(await ping(client, guest)).toEqual([]);
    await planeB.apply(awayState(hosts));
    expect(await ping(client, guest)).toHaveLength(3);
  },
);

test("what a guest sends before its landing's route is there goes home", async () => {
  await using hosts = await createTwoHosts("vxlan");
  await hosts.planeA.apply(homeState(hosts));
  await hosts.planeB.apply(awayState(hosts, incomingTable));
  await plugGuest(hosts, hosts.b, awayBridge);
  expect(await ping(hosts.guest, "192.0.2.2")).toHaveLength(3);

  await hosts.b.ip(`address flush dev ${awayBridge}`);
  const { made } = await hosts.planeB.apply(awayState(hosts, incomingTable));
  expect(made).toContain(`ip address replace 192.0.0.8/32 scope host dev ${awayBridge}`);
  expect(await ping(hosts.guest, "192.0.2.2")).toHaveLength(3);
});

test("a tap is primed with one frame, for the guest's MAC address and of no protocol", async () => {
  await using hosts = await createTwoHosts("vxlan");
  await hosts.planeB.apply(awayState(hosts, incomingTable));
  await plugGuest(hosts, hosts.b, awayBridge);
  const heard = await packetsWhile(
    hosts.guest,
    "eth0",
    `ether proto 0x88b5 and ether dst ${guestMac}`,
    () => hosts.planeB.primeTap(guestPort, guestMac),
  );
  // Of a protocol that tcpdump does not know it shows the bytes too.
  expect(heard.filter((line) => !/^\s*0x/.test(line))).toHaveLength(1);
});

test("the gateway that is not there is answered for at once; the guest's own address is not", async () => {
  await using hosts = await createTwoHosts("vxlan");
  await hosts.planeA.apply(homeState(hosts));
  await hosts.planeB.apply(awayState(hosts));
  await plugGuest(hosts, hosts.b, awayBridge);
  const mac = await hosts.planeB.linkMac(awayBridge);
  const announce = async (kind: "-U" | "-D") => {
    const line = ["arping", kind, "-q", "-c", "1", "-w", "1", "-I", "eth0", guest];
    return hosts.guest.run("busybox", line, { acceptExitCodes: [1] });
  };
  const heard = await packetsWhile(hosts.guest, "eth0", "arp", async () => {
    await announce("-U");
    expect((await announce("-D")).exitCode).toBe(0);
    const [first] = await ping(hosts.guest, "192.0.2.2", 1);
    expect(first).toBeLessThan(100);
  });
  const text = heard.join("\n");
  expect(text).toContain(`who-has ${guest}`);
  expect(text).toContain(`Reply 10.1.0.1 is-at ${mac}`);
  expect(text).not.toContain(`Reply ${guest} is-at ${mac}`);
  expect(heard.filter((line) => line.includes("Reply"))).toHaveLength(1);
});

test("frames to the gateway's old MAC address are routed", async () => {
  await using hosts = await createTwoHosts("vxlan");
  const { planeB } = hosts;
  await hosts.planeA.apply(homeState(hosts));
  await planeB.apply(awayState(hosts));
  await plugGuest(hosts, hosts.b, awayBridge);
  await hosts.guest.ip(`neigh replace 10.1.0.1 lladdr ${oldGatewayMac} dev eth0 nud permanent`);
  expect(await ping(hosts.client, guest)).toHaveLength(3);
  expect(await ping(hosts.guest, "192.0.2.2")).toHaveLength(3);
  const without = awayState(hosts);
  await planeB.apply({ ...without, filter: { ...without.filter, gatewayFrames: [] } });
  expect(await ping(hosts.client, guest)).toEqual([]);
});

test("from a tunnel only packets of its guests pass, the rest is dropped and counted", async () => {
  await using hosts = await createTwoHosts("vxlan");
  await hosts.planeA.apply(homeState(hosts));
  await hosts.planeB.apply(awayState(hosts));
  await plugGuest(hosts, hosts.b, awayBridge);
  await hosts.b.ip("address add 10.2.0.1/24 dev lo");
  await hosts.a.ip(`route add 10.2.0.1/32 via ${hosts.viaToB} dev ${tunnel} onlink`);
  expect(await ping(hosts.a, "10.2.0.1")).toEqual([]);
  expect(await hosts.planeB.refusedPackets()).toMatchObject({ inner_address: 3 });
  expect(await ping(hosts.client, "10.2.0.1")).toHaveLength(3);
  expect(await ping(hosts.client, guest)).toHaveLength(3);
});

test.each(["vxlan", "direct"] as const)(
  "armed copies arrive exactly once, until the route leads there (%s)",
  async (kind) => {
    await using hosts = await createTwoHosts(kind);
    const { planeA, client, a } = hosts;
    const home = homeState(hosts);
    const prepared = {
      ...home,
      // A copy asks no route: its link-layer address is looked up under the guest's own address.
      neighbours:
        hosts.viaToB === null
          ? []
          : [{ kind: "permanent" as const, device: tunnel, address: guest, mac: tunnelEnds.b.mac }],
      routes: [],
      filter: {
        ...home.filter,
        copies: [{ address: guest, device: tunnel, gateway: hosts.viaToB ?? guest }],
      },
    };
    await plugGuest(hosts, a, "guests0");
    await planeA.apply(prepared);
    const arrived = await countEchoRequests(hosts.b);
    expect(await ping(client, guest)).toHaveLength(3);
    expect(await arrived()).toBe(0);

    await planeA.arm(guest);
    expect(await ping(client, guest, 5)).toHaveLength(5);
    expect(await arrived()).toBe(5);
    expect(await ping(a, guest, 2)).toHaveLength(2);
    expect(await arrived()).toBe(7);
    await planeA.apply({ ...prepared, filter: { ...prepared.filter, tunnelGuests: [] } });
    expect(await ping(client, guest, 2)).toHaveLength(2);
    expect(await arrived()).toBe(9);

    const [redirect] = home.routes;
    if (redirect !== undefined) await planeA.replaceRoute(redirect);
    expect(await ping(client, guest, 3)).toEqual([]);
    expect(await arrived()).toBe(12);
    if (redirect !== undefined) await planeA.deleteRoute(redirect);
    await planeA.disarm(guest);
    expect(await ping(client, guest)).toHaveLength(3);
    expect(await arrived()).toBe(12);
    await expect(planeA.arm("10.1.0.99")).rejects.toMatchObject({
      code: "SOJ_ROUTING_NOT_PREPARED",
    });
  },
);
