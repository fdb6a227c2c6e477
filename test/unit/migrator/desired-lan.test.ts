import { describe, expect, test } from "vitest";
import { lanOf } from "../../../src/migrator/desired-lan.ts";
import { desiredNetwork } from "../../../src/migrator/desired-network.ts";
import { gatewayMacOf } from "../../../src/migrator/home-record.ts";
import { attachmentOf, type HostFacts } from "../../../src/migrator/network.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { lanTableBase } from "../../../src/routing/desired.ts";
import { aToB, bToA, hostA, hostB, recordOf, runningAtHome, tunnelOf } from "./support.ts";

const lan = { subnet: "10.1.0.0/24", gateway: "10.1.0.1", bridge: "guests0", port: "lan0" };
const other = { subnet: "10.9.0.0/24", gateway: "10.9.0.1", bridge: "guests9" };
const bridged: HostFacts = { ...hostA, guestNetworks: [other, lan] };
const web1 = recordOf("web1", 10);
const { tap } = attachmentOf(bridged, web1);

const settled: GuestRecord = { ...web1, hosting: runningAtHome };
const leaving: GuestRecord = { ...settled, outgoing: { tunnel: aToB, switched: false } };
const away: GuestRecord = { ...web1, redirect: { host: "host-b", tunnel: aToB } };
const landed: GuestRecord = {
  ...web1,
  hosting: { ...runningAtHome, stage: "landed", sourceTunnel: aToB },
};

const desired = (record: GuestRecord, host = bridged) => desiredNetwork(host, [record], tunnelOf);

const wayToLan = {
  rules: [
    {
      priority: 18319,
      ...{ table: lanTableBase + 1, iif: "tun-2", from: "10.1.0.10/32", to: null },
    },
  ],
  routes: [
    {
      table: lanTableBase + 1,
      ...{ prefix: "10.1.0.0/24", type: "throw", device: null, via: null, mtu: null },
    },
    {
      table: lanTableBase + 1,
      ...{ prefix: "default", type: "unicast", device: "guests0", via: "10.1.0.1", mtu: null },
    },
  ],
};

describe("home on a LAN", () => {
  test.each([
    ["about to leave", leaving],
    ["away", away],
    ["just back", landed],
  ])("a guest's packets from a tunnel take the LAN's ways: %s", (_name, record) => {
    const { rules, routes } = desired(record);
    expect(rules.filter(({ priority }) => priority === 18319)).toEqual(wayToLan.rules);
    expect(routes.filter(({ table }) => table === lanTableBase + 1)).toEqual(wayToLan.routes);
  });

  test("while a guest goes on to a third host, its packets take those ways from all tunnels", () => {
    const aToC = { ...aToB, remoteAddress: "172.16.3.2" };
    const next = { host: "host-c", tunnel: aToC, migration: "m1", epoch: 2 };
    const chained = { ...away, redirect: away.redirect && { ...away.redirect, next } };
    const { rules, routes } = desired(chained);
    const ways = rules.filter(({ priority }) => priority === 18319);
    expect(ways.map(({ iif }) => iif)).toEqual(["tun-2", "tun-3"]);
    expect(routes.filter(({ table }) => table === lanTableBase + 1)).toEqual(wayToLan.routes);
  });

  test("a guest that never left, or has settled again, has no way of its own", () => {
    const { rules, routes } = desired(settled);
    expect({ rules, routes }).toEqual({ rules: [], routes: [] });
  });

  test("frames of a guest that takes its gateway for a neighbour are routed, and those of others passed on", () => {
    const only = { mac: web1.home.gatewayMac, prefix: "10.1.0.0/24", except: "10.1.0.1" };
    for (const record of [settled, leaving, landed]) {
      expect(desired(record).filter.gatewayFrames).toEqual([{ tap, bridge: "guests0", only }]);
    }
    expect(desired(away).filter.gatewayFrames).toEqual([]);
    for (const record of [settled, away]) {
      expect(desired(record).sysctls).toEqual(
        expect.arrayContaining([
          { path: "net/ipv4/conf/guests0/rp_filter", value: "2" },
          { path: "net/ipv4/conf/guests0/forwarding", value: "1" },
        ]),
      );
    }
  });

  test("nothing of it where this host is the gateway, or the LAN another host's", () => {
    for (const record of [settled, leaving, away, landed]) {
      const { rules, filter } = desired(record, hostA);
      expect(rules.filter(({ priority }) => priority === 18319)).toEqual([]);
      expect(filter.gatewayFrames.filter(({ only }) => only !== undefined)).toEqual([]);
    }
    const here: GuestRecord = { ...web1, hosting: { ...runningAtHome, homeTunnel: bToA } };
    const { rules } = desired(here, hostB);
    expect(rules.map(({ priority }) => priority)).not.toContain(18319);
    expect(lanOf(hostB, "10.1.0.10")).toBeNull();
    expect(lanOf(bridged, "10.9.0.10")).toBeNull();
    expect(lanOf(bridged, "10.1.0.10")).toEqual(lan);
  });
});

describe("the gateway's MAC address", () => {
  const routing = (bridge: string | null, neighbour: string | null, device = "guests0") => ({
    linkMac: async () => bridge,
    neighbourMac: async () => neighbour,
    routeTo: async () => ({ device, sourceAddress: "" }),
  });
  const [own, outside] = ["52:54:00:00:01:01", "02:00:00:00:00:01"];

  test("is this host's, or on a LAN the other machine's", async () => {
    expect(await gatewayMacOf(bridged, other, routing(own, outside))).toBe(own);
    expect(await gatewayMacOf(bridged, lan, routing(own, outside))).toBe(outside);
  });

  test("must be known: a bridge that is missing, a gateway that is silent", async () => {
    await expect(gatewayMacOf(bridged, lan, routing(null, outside))).rejects.toMatchObject({
      code: "SOJ_BRIDGE_MISSING",
    });
    await expect(gatewayMacOf(bridged, lan, routing(own, null))).rejects.toMatchObject({
      ...{ code: "SOJ_GATEWAY_SILENT", exitCode: 3, retryable: true },
    });
    for (const device of ["eth0", "lo"]) {
      const off = gatewayMacOf(bridged, lan, routing(own, outside, device));
      await expect(off).rejects.toMatchObject({ code: "SOJ_LAN_ADDRESS" });
    }
  });
});
