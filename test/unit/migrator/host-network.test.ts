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

beforeEach(() => {
  folder = temporaryFolder();
  records = new RecordStore(folder.path);
  const routing = { apply: async () => [], warm: async () => {}, deleteRoute: async () => {} };
  const tunnels = { ensure: async (spec: typeof aToB) => tunnelOf(spec), remove: async () => {} };
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
