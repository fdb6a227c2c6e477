import { afterEach, beforeEach, expect, test } from "vitest";
import { mainTable } from "../../src/routing/desired.ts";
import { packetsWhile } from "../support/capture.ts";
import { connect, createNamespace, describeNamespace } from "../support/namespaces.ts";
import { desiredState } from "../support/routing-plane.ts";
import {
  awayBridge,
  awayState,
  createTwoHosts,
  guest,
  guestMac,
  homeState,
  ping,
  plugGuest,
  type TwoHosts,
  tunnel,
} from "../support/two-hosts.ts";

const barrierAddress = "198.18.0.9";
const vxlanMtu = 1450;
const probe = {
  guestAddress: guest,
  packetBytes: vxlanMtu,
  nonceHex: "c0ffee0123",
  timeoutMs: 3_000,
};
let hosts: TwoHosts;

beforeEach(async () => {
  hosts = await createTwoHosts("vxlan");
});

afterEach(() => hosts[Symbol.asyncDispose]());

const prober = (id: string, via: string | null) => ({
  ...{ id, barrierAddress, guestAddress: guest, tunnelDevice: tunnel, via },
});
const responder = (id: string, bridge: string) => ({
  ...{ id, guestAddress: guest, guestMac, bridge, returnRoute: null },
});

test("full-size probes cross the final path while the guest is still at home, and nothing is left", async () => {
  const { planeA, planeB, a, b } = hosts;
  await plugGuest(hosts, a, "guests0");
  await planeA.apply({ ...homeState(hosts), routes: [], neighbours: [] });
  const prepared = awayState(hosts, 18300);
  await planeB.apply(prepared);
  expect(await ping(hosts.client, guest)).toHaveLength(3);
  const before = [await describeNamespace(a), await describeNamespace(b)];
  {
    await using _responder = await planeB.openBarrierResponder(responder("m1", awayBridge));
    await using end = await planeA.openBarrierProber(prober("m1", hosts.viaToB));
    expect(await planeA.probeThroughBarrier(end, probe)).toBe(true);
    const tooLarge = { ...probe, packetBytes: vxlanMtu + 1, timeoutMs: 1_000 };
    expect(await planeA.probeThroughBarrier(end, tooLarge)).toBe(false);
    expect(await ping(hosts.client, guest)).toHaveLength(3);
    const withoutRoute = { ...prepared, routes: prepared.routes.slice(1) };
    await planeB.apply(withoutRoute);
    expect(await planeA.probeThroughBarrier(end, { ...probe, timeoutMs: 1_000 })).toBe(false);
    await planeB.apply(prepared);
    expect(await planeA.probeThroughBarrier(end, probe)).toBe(true);
  }
  expect([await describeNamespace(a), await describeNamespace(b)]).toEqual(before);
});

test("the way home is proved with a temporary route, and nobody on the guests' bridge notices", async () => {
  const { planeA, planeB, a } = hosts;
  await using sibling = await createNamespace("sibling");
  await connect(
    { namespace: a, device: "s0" },
    { namespace: sibling, device: "eth0", address: "10.1.0.11/24" },
  );
  await a.ip("link set dev s0 master guests0");
  expect(await ping(a, "10.1.0.11", 1)).toHaveLength(1);
  await planeB.apply(awayState(hosts));
  await plugGuest(hosts, hosts.b, awayBridge);
  const home = homeState(hosts);
  const returning = desiredState({
    ...home,
    routes: [
      ...home.routes,
      {
        ...{ table: 18300, prefix: `${guest}/32`, type: "unicast" },
        ...{ device: "guests0", via: null, mtu: null },
      },
    ],
    rules: [{ priority: 18310, table: 18300, iif: tunnel, from: null, to: guest }],
    neighbours: [
      ...home.neighbours,
      { kind: "permanent", device: "guests0", address: guest, mac: guestMac },
    ],
  });
  await planeA.apply(returning);
  const before = await describeNamespace(a);
  const heard = await packetsWhile(sibling, "eth0", "", async () => {
    await using _responder = await planeA.openBarrierResponder({
      ...responder("m2", "guests0"),
      returnRoute: { barrierAddress, device: tunnel, via: hosts.viaToB, table: mainTable },
    });
    await using end = await planeB.openBarrierProber(prober("m2", hosts.viaToA));
    expect(await planeB.probeThroughBarrier(end, probe)).toBe(true);
  });
  expect(heard.filter((line) => line.includes(guest) || line.includes(barrierAddress))).toEqual([]);
  expect(await describeNamespace(a)).toEqual(before);
  expect(await ping(hosts.client, guest)).toHaveLength(3);
});

test("an end that cannot be made leaves nothing", async () => {
  const { planeA, planeB, a, b } = hosts;
  await planeB.apply(desiredState({ bridges: [{ name: awayBridge, mac: null }] }));
  await a.ip(`route add ${barrierAddress}/32 dev eth0`);
  const before = [await describeNamespace(a), await describeNamespace(b)];
  await expect(planeA.openBarrierProber(prober("m3", hosts.viaToB))).rejects.toMatchObject({
    code: "SOJ_COMMAND_FAILED",
  });
  await expect(
    planeB.openBarrierResponder({
      ...responder("m3", awayBridge),
      returnRoute: { barrierAddress, device: "gone0", via: null, table: mainTable },
    }),
  ).rejects.toMatchObject({ code: "SOJ_COMMAND_FAILED" });
  expect([await describeNamespace(a), await describeNamespace(b)]).toEqual(before);
});

test("what a dead process left is removed by the next", async () => {
  const { planeA, planeB, a, b } = hosts;
  await planeB.apply(awayState(hosts, 18300));
  const before = [await describeNamespace(a), await describeNamespace(b)];
  await planeB.openBarrierResponder(responder("m4", awayBridge));
  await planeA.openBarrierProber(prober("m4", hosts.viaToB));
  expect(await planeB.removeBarrierLeftovers()).toHaveLength(2);
  expect(await planeA.removeBarrierLeftovers()).toHaveLength(6);
  expect([await describeNamespace(a), await describeNamespace(b)]).toEqual(before);
  expect(await planeA.removeBarrierLeftovers()).toEqual([]);
});
