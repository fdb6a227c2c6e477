import { describe, expect, test } from "vitest";
import { desiredNetwork } from "../../../src/migrator/desired-network.ts";
import { attachmentOf, type HostFacts, requiredTunnels } from "../../../src/migrator/network.ts";
import { type Drain, type GuestRecord, hostingStages } from "../../../src/migrator/records.ts";
import {
  emptyDesiredState,
  mainTable,
  redirectMark,
  renumberedMark,
} from "../../../src/routing/desired.ts";
import { normalise } from "../../../src/routing/normalise.ts";
import { aToB, bToA, hostA, hostB, recordOf, tunnelOf } from "./support.ts";

const newAddress = "10.2.0.50";
const web1 = recordOf("web1", 10);
const { bridge, tap } = attachmentOf(hostB, web1);

const desired = (host: HostFacts, ...records: GuestRecord[]) =>
  desiredNetwork(host, records, tunnelOf);

type Hosting = NonNullable<GuestRecord["hosting"]>;

const hosted = (parts: Partial<Hosting> = {}, record = web1): GuestRecord => ({
  ...record,
  hosting: { stage: "running", tableIndex: 0, homeTunnel: bToA, sourceTunnel: null, ...parts },
});
const retired = { homeTunnel: null, retired: true } as const;
const drain: Drain = {
  ...{ migration: "m1", renumbered: newAddress, begunMs: 0, idleTimeoutS: 60, capS: null },
  ...{ nameUpdatedMs: null, nameTtlS: 0 },
};

const rule = { iif: null, from: null, to: null };
const toGuest = {
  ...{ ...rule, priority: 18315, table: 18310, to: "10.1.0.10/32" },
  mark: { value: renumberedMark, mask: renumberedMark },
};
const direct = {
  ...{ ...rule, priority: 18316, table: mainTable, iif: bridge, from: "10.1.0.10/32" },
  mark: { value: 0, mask: redirectMark },
};
const source = { ...rule, priority: 18320, table: 18310, iif: bridge, from: "10.1.0.10/32" };

describe("tracking", () => {
  const tracking = { ...hostA, tracksFlows: true };

  test("is asked for while the host has to do with a guest, with traffic and age where the kernel can", () => {
    const home = { homeTunnel: null };
    for (const record of [hosted(home), { ...web1, redirect: { host: "host-b", tunnel: aToB } }]) {
      const { filter, sysctls } = desired(tracking, record);
      expect(filter.tracking).toBe(true);
      expect(sysctls.filter(({ ifThere }) => ifThere)).toEqual([
        { path: "net/netfilter/nf_conntrack_acct", value: "1", ifThere: true },
        { path: "net/netfilter/nf_conntrack_timestamp", value: "1", ifThere: true },
      ]);
      expect(desired(hostA, record).filter.tracking).toBe(false);
    }
    expect(desired(tracking)).toEqual(emptyDesiredState);
  });

  test("is needed for a new address and for a redirect that is to go, whatever the host is told", () => {
    const draining = { ...web1, redirect: { host: "host-b", tunnel: aToB, drain } };
    expect(desired(hostA, draining).filter.tracking).toBe(true);
    expect(desired(hostB, hosted({ renumbered: newAddress })).filter.tracking).toBe(true);
    expect(desired(hostB, hosted()).filter.tracking).toBe(false);
  });

  test("ends with a guest that has departed: nothing of it is left", () => {
    const departed = {
      ...{ host: "host-b", migration: "m1", renumbered: newAddress, reason: "idle" as const },
      atMs: 0,
    };
    expect(desired(tracking, { ...web1, departed })).toEqual(emptyDesiredState);
  });
});

describe("a renumbered guest", () => {
  const renumbered = hosted({ renumbered: newAddress });

  test("has its new address beside all that it has without, and only redirected flows are made to fit", () => {
    const before = desired(hostB, hosted());
    const { rules, filter, ...state } = desired(hostB, renumbered);
    expect(rules).toEqual([...before.rules, direct, toGuest]);
    expect(filter).toMatchObject({
      tunnelGuests: before.filter.tunnelGuests,
      renumbered: [
        {
          ...{ guest: "10.1.0.10", address: newAddress, bridge, tap },
          ...{ tunnels: ["tun-1"], retired: false },
        },
      ],
    });
    expect(filter.sizeLimits).toEqual(
      before.filter.sizeLimits.map((limit) => ({ ...limit, redirectedOnly: true })),
    );
    expect(state.routes).toEqual(expect.arrayContaining(before.routes));
    expect(state.routes.filter((route) => !before.routes.some((one) => same(one, route)))).toEqual([
      expect.objectContaining({ table: mainTable, prefix: `${newAddress}/32`, device: bridge }),
    ]);
    expect(state.neighbours).toContainEqual({
      ...{ kind: "proxy", device: "guests0", address: newAddress },
    });
    expect(state.sysctls).toContainEqual({
      ...{ path: `net/ipv4/conf/${bridge}/src_valid_mark`, value: "1" },
    });
  });

  test.each(hostingStages)(
    "%s: the rules are there, and it is answered for after the barrier",
    (stage) => {
      const sourceTunnel = stage === "running" ? null : bToA;
      const arriving = desired(hostB, hosted({ stage, sourceTunnel, renumbered: newAddress }));
      expect(arriving.rules).toEqual(expect.arrayContaining([source, direct, toGuest]));
      expect(arriving.filter.renumbered).toEqual(desired(hostB, renumbered).filter.renumbered);
      const isAnswered = arriving.neighbours.some(({ address }) => address === newAddress);
      expect(isAnswered).toBe(stage !== "barrier");
      expect(arriving.routes.some(({ prefix }) => prefix === `${newAddress}/32`)).toBe(isAnswered);
    },
  );

  test("whose redirect is retired needs no tunnel, and its old address can be another guest's, also here", () => {
    const gone = hosted({ ...retired, renumbered: newAddress });
    expect(requiredTunnels([gone])).toEqual([]);
    const state = desired(hostB, gone);
    expect(state.filter).toMatchObject({ tunnelGuests: [], sizeLimits: [] });
    expect(state.filter.renumbered).toMatchObject([{ tunnels: [], retired: true }]);
    expect(state.routes.filter(({ table }) => table === mainTable)).toMatchObject([
      { prefix: `${newAddress}/32`, device: bridge },
    ]);
    expect(state.routes.find(({ prefix }) => prefix === "default")).toMatchObject({
      ...{ table: 18310, type: "unreachable", device: null },
    });
    const other = hosted({ tableIndex: 1 }, recordOf("web2", 10));
    const { routes, rules } = normalise(desired(hostB, gone, other));
    const keys = routes.map(({ table, prefix }) => `${table} ${prefix}`);
    expect(new Set(keys).size).toBe(keys.length);
    const selectors = rules.map(({ table: _table, ...selector }) => JSON.stringify(selector));
    expect(new Set(selectors).size).toBe(selectors.length);
  });
});

test("a guest whose redirect is retired without a new address is reached here, and finds its gateway", () => {
  const state = desired(hostB, hosted(retired));
  expect(state.rules).toEqual([source]);
  expect(state.filter.renumbered).toEqual([]);
  expect(state.routes).toMatchObject([
    { table: 18310, prefix: "10.2.0.0/24", type: "throw" },
    { table: 18310, prefix: "10.1.0.10/32", device: bridge },
    { table: 18310, prefix: "10.1.0.1/32", device: "guests0" },
    { table: 18310, prefix: "default", type: "unreachable" },
    { table: mainTable, prefix: "10.1.0.10/32", device: bridge },
  ]);
});

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
