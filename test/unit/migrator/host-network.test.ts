import { afterEach, beforeEach, expect, test } from "vitest";
import { HostNetwork } from "../../../src/migrator/host-network.ts";
import { land } from "../../../src/migrator/landing.ts";
import { RecordStore } from "../../../src/migrator/record-store.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { delay } from "../../../src/platform/clock.ts";
import { createLogger } from "../../../src/platform/log.ts";
import type { RoutingPlane } from "../../../src/routing/desired.ts";
import type { Tunnels } from "../../../src/tunnels/tunnel.ts";
import { aToB, hostA, recordOf, runningAtHome, temporaryFolder, tunnelOf } from "./support.ts";

const hosting = runningAtHome;
const running: GuestRecord = { ...recordOf("web1", 10), hosting };

let folder: { path: string } & Disposable;
let records: RecordStore;
let network: HostNetwork;
/** Of tunnels, by whom they lead to; and what cannot be done at present. */
let present: Set<string>;
let failing: Set<string>;

beforeEach(() => {
  folder = temporaryFolder();
  records = new RecordStore(folder.path);
  present = new Set();
  failing = new Set();
  const routing = { apply: async () => [], warm: async () => {}, deleteRoute: async () => {} };
  const check = (work: string) => {
    if (failing.has(work)) throw new Error(`${work} failed`);
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

test("a tunnel that could not be taken back after another failed is removed by the next change", async () => {
  const third = { ...aToB, remoteAddress: "172.16.3.2" };
  failing = new Set(["ensure 172.16.3.2", "remove 172.16.2.2"]);
  const wanted = {
    ...recordOf("web1", 10),
    redirect: { host: "host-c", tunnel: third },
    hosting: { ...hosting, sourceTunnel: aToB },
  } as GuestRecord;
  await expect(network.change(wanted)).rejects.toThrow("ensure 172.16.3.2 failed");
  expect(present).toEqual(new Set(["172.16.2.2"]));
  expect(records.get("web1")).toBeUndefined();
  failing = new Set();
  await network.change(running);
  expect(present).toEqual(new Set());
});
