import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HostNetwork } from "../../../src/migrator/host-network.ts";
import { land } from "../../../src/migrator/landing.ts";
import { RecordStore } from "../../../src/migrator/record-store.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { delay } from "../../../src/platform/clock.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { createLogger } from "../../../src/platform/log.ts";
import type { RoutingPlane } from "../../../src/routing/desired.ts";
import type { Tunnels } from "../../../src/tunnels/tunnel.ts";
import { FakeClock, pass } from "../platform/fake-clock.ts";
import { aToB, hostA, recordOf, runningAtHome, temporaryFolder, tunnelOf } from "./support.ts";

const hosting = runningAtHome;
const running: GuestRecord = { ...recordOf("web1", 10), hosting };

let folder: { path: string } & Disposable;
let records: RecordStore;
let network: HostNetwork;
/** Of tunnels, by whom they lead to; and what cannot be done at present. */
let present: Set<string>;
let failing: Set<string>;
let failureCode: `SOJ_${string}`;
let asked: string[];

beforeEach(() => {
  folder = temporaryFolder();
  records = new RecordStore(folder.path);
  present = new Set();
  failing = new Set();
  failureCode = "SOJ_TUNNEL_FAILED";
  asked = [];
  const routing = { apply: async () => [], warm: async () => {}, deleteRoute: async () => {} };
  const check = (work: string) => {
    asked.push(work);
    if (failing.has(work)) throw new SojournError(failureCode, `${work} failed`);
  };
  const tunnels = {
    ensure: async (spec: typeof aToB) => {
      check(`ensure ${spec.remoteAddress}`);
      present.add(spec.remoteAddress);
      return tunnelOf(spec);
    },
    remove: async (spec: typeof aToB) => {
      check(`remove ${spec.remoteAddress}`);
      present.delete(spec.remoteAddress);
    },
  };
  const kernel = [tunnels as unknown as Tunnels, routing as unknown as RoutingPlane] as const;
  network = new HostNetwork(hostA, ...kernel, records, createLogger("silent"));
});
afterEach(() => folder[Symbol.dispose]());

test("a guest that was started anew while its forgetting waited for the network is not forgotten", async () => {
  records.put(running);
  const ended = records.get("web1");
  const held = await network.hold();
  const forgetting = network.forget("web1", (current = ended) => current === ended);
  const anew = { ...running, epoch: 0 };
  records.put(anew);
  held[Symbol.dispose]();
  await forgetting;
  expect(records.get("web1")).toBe(anew);
  await network.forget("web1");
  expect(records.get("web1")).toBeUndefined();
});

test("a landing that waited for the network brings back no guest that was superseded meanwhile", async () => {
  const migration = { id: "m1", epoch: 1, role: "destination", peer: "host-b", resume: true };
  const arrived = {
    ...recordOf("web1", 10),
    redirect: { host: "host-b", tunnel: aToB },
    hosting: { ...hosting, stage: "incoming", sourceTunnel: aToB },
    migration,
  } as GuestRecord;
  await network.change(arrived);
  const held = await network.hold();
  const landing = land({ host: hostA, network, records }, arrived);
  const superseded = { ...arrived, hosting: null, migration: null };
  const change = delay(300).then(() => {
    records.put(superseded);
    held[Symbol.dispose]();
  });
  await Promise.all([landing, change]);
  expect(records.get("web1")).toBe(superseded);
});

describe("a tunnel that could not be taken back after another failed", () => {
  const third = { ...aToB, remoteAddress: "172.16.3.2" };
  const toThird = { host: "host-c", tunnel: third };
  const hostingFromB = { ...hosting, sourceTunnel: aToB };

  async function failToChange(): Promise<void> {
    failing = new Set(["ensure 172.16.3.2", "remove 172.16.2.2"]);
    const wanted = { ...running, redirect: toThird, hosting: hostingFromB } as GuestRecord;
    await expect(network.change(wanted)).rejects.toThrow("ensure 172.16.3.2 failed");
    expect(present).toEqual(new Set(["172.16.2.2"]));
    expect(records.get("web1")).toBeUndefined();
    expect(network.knownInterface(aToB)).toBeNull();
  }

  test("keeps no other change from being made, and is removed later", async () => {
    using clock = new FakeClock();
    await failToChange();
    await network.change(running);
    expect(records.get("web1")).toBe(running);
    await pass(clock, 10_000);
    expect(present).toEqual(new Set(["172.16.2.2"]));
    failing = new Set();
    await pass(clock, 10_000);
    expect(present).toEqual(new Set());
  });

  test("is looked at anew by a change that needs it, and stays then", async () => {
    using clock = new FakeClock();
    await failToChange();
    failing = new Set(["ensure 172.16.2.2"]);
    const wanted = { ...running, hosting: hostingFromB };
    await expect(network.change(wanted)).rejects.toThrow("ensure 172.16.2.2 failed");
    failing = new Set();
    await network.change(wanted);
    expect(network.knownInterface(aToB)).not.toBeNull();
    await pass(clock, 20_000);
    expect(present).toEqual(new Set(["172.16.2.2"]));
  });
});

test("a change whose old tunnel cannot be removed is made all the same", async () => {
  using clock = new FakeClock();
  await network.change({ ...running, hosting: { ...hosting, sourceTunnel: aToB } });
  failing = new Set(["remove 172.16.2.2"]);
  await network.change(running);
  expect(records.get("web1")).toBe(running);
  failing = new Set();
  await pass(clock, 10_000);
  expect(present).toEqual(new Set());
});

test("somebody else's device in a tunnel's place is left to them", async () => {
  using clock = new FakeClock();
  failing = new Set(["ensure 172.16.2.2", "remove 172.16.2.2"]);
  failureCode = "SOJ_TUNNEL_FOREIGN";
  const wanted = { ...running, hosting: { ...hosting, sourceTunnel: aToB } };
  await expect(network.change(wanted)).rejects.toMatchObject({ code: "SOJ_TUNNEL_FOREIGN" });
  await pass(clock, 60_000);
  expect(asked).toEqual(["ensure 172.16.2.2", "remove 172.16.2.2"]);
});
