import { expect, it, vi } from "vitest";
import { ArrivingFlows } from "../../../src/migrator/arriving-flows.ts";
import { toCarriedFlow } from "../../../src/migrator/carried-flow.ts";
import { forgetFlows } from "../../../src/migrator/forget-flows.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { redirectMark } from "../../../src/routing/desired.ts";
import type { GuestFlow } from "../../../src/routing/flows/flow-table.ts";
import { FakeFlows, fakeFlowTable } from "../../simulation/world/fake-flow-table.ts";
import { hostFacts, initialRecord } from "../../simulation/world/guest.ts";
import { Random } from "../../simulation/world/random.ts";
import { bToA, recordOf, runningAtHome } from "./support.ts";

const logger = createLogger("silent");
const migration: GuestRecord["migration"] = {
  ...{ id: "m1", epoch: 1, role: "destination", peer: "host-a", resume: true },
};

it("makes this host track the flows of a guest that is away from home, marked for the redirect", async () => {
  const { flows, arriving } = bed("host-b");
  expect(await arriving().install([carried(1), carried(2)])).toMatchObject({ installed: 2 });
  expect([...flows.entries.values()].map(({ mark }) => mark)).toEqual([redirectMark, redirectMark]);
});

it("forgets what it has made when the guest does not come, but not what was there before", async () => {
  const { flows, arriving } = bed("host-b");
  flows.begin("192.0.2.2", 1);
  const guest = arriving();
  await guest.install([carried(1), carried(2)]);
  await guest.forget();
  expect([...flows.entries.keys()]).toEqual(["192.0.2.2:1"]);
  await expect(guest.install([carried(3)])).rejects.toMatchObject({ code: "SOJ_MIGRATION_OVER" });
  expect([...flows.entries.keys()]).toEqual(["192.0.2.2:1"]);
});

it("forgets too what an earlier daemon has made, as its mark tells", async () => {
  const { flows, arriving } = bed("host-b");
  await arriving().install([carried(1)]);
  flows.begin("192.0.2.2", 7);
  await arriving().forget();
  expect([...flows.entries.keys()]).toEqual(["192.0.2.2:7"]);
});

it("marks nothing at home, and forgets what home did not know", async () => {
  const { flows, arriving } = bed("host-a");
  flows.begin("192.0.2.2", 1);
  const guest = arriving();
  expect(await guest.install([carried(1), carried(2)])).toMatchObject({ installed: 1, present: 1 });
  expect(flows.entries.get("192.0.2.2:2")?.mark).toBe(0);
  await guest.forget();
  expect([...flows.entries.keys()]).toEqual(["192.0.2.2:1"]);
});

it("refuses them where the kernel tracks nothing, and once the record is another migration's", async () => {
  const { flows, arriving, records } = bed("host-b");
  flows.isTracking = false;
  expect(await arriving().install([carried(1)])).toEqual({
    ...{ installed: 0, present: 0 },
    refused: { UNTRACKED: 1 },
  });
  flows.isTracking = true;
  records.delete("web1");
  await expect(arriving().install([carried(1)])).rejects.toMatchObject({
    code: "SOJ_MIGRATION_OVER",
  });
  await arriving().forget();
  expect(flows.entries.size).toBe(0);
});

it("tells which flows were reset", async () => {
  const { flows, arriving } = bed("host-a");
  flows.begin("192.0.2.2", 1);
  flows.begin("192.0.2.2", 2);
  Object.assign(flows.entries.get("192.0.2.2:2") ?? {}, { state: "CLOSE" });
  expect(await arriving().reset()).toMatchObject([{ ports: [2, 7], state: "CLOSE" }]);
});

it("leaves only what still passes a host that the guest has left, and home everything", async () => {
  const { flows, context, records } = bed("host-b");
  const peers = ["192.0.2.2", "10.2.0.20", "172.16.2.2", "10.1.0.11", "10.1.0.12"];
  for (const peer of peers) flows.begin(peer, 1);
  const record = records.get("web1") as GuestRecord;
  const sibling = recordOf("web2", 11);
  records.set("web2", { ...sibling, hosting: { ...runningAtHome, homeTunnel: bToA } });
  records.set("web3", recordOf("web3", 12));
  await forgetFlows({ ...context, host: hostFacts["host-a"] }, record);
  expect(flows.entries.size).toBe(peers.length);
  await forgetFlows(context, record);
  expect([...flows.entries.keys()]).toEqual(["10.2.0.20:1", "172.16.2.2:1", "10.1.0.11:1"]);
});

it("leaves nothing that used the address which the guest had there", async () => {
  const { flows, context, records } = bed("host-b");
  const record = records.get("web1") as GuestRecord;
  const hosting = record.hosting && { ...record.hosting, renumbered: "10.2.0.50" };
  for (const port of [1, 2]) flows.begin("10.2.0.20", port);
  const direct = flows.entries.get("10.2.0.20:2");
  if (direct === undefined) throw new Error("no flow");
  direct.original = { ...direct.original, destination: "10.2.0.50" };
  await forgetFlows(context, { ...record, hosting });
  expect([...flows.entries.keys()]).toEqual(["10.2.0.20:1"]);
});

it("remembers no more of what a source goes on sending than the kernel does", async () => {
  const { flows, context, arriving } = bed("host-b");
  const read = vi.spyOn(context.flows, "read");
  const guest = arriving();
  const some = (start: number) =>
    Array.from({ length: 2_000 }, (_, index) => carried(start + index));
  for (let start = 0; start < 200_000; start += 2_000) {
    await guest.install(some(start));
    // The kernel forgets them in no time.
    flows.entries.clear();
  }
  // What was there before; and once for each hundred thousand.
  expect(read).toHaveBeenCalledTimes(2);
  await guest.install([carried(7)]);
  await guest.forget();
  expect(flows.entries.size).toBe(0);
});

function bed(host: "host-a" | "host-b") {
  const flows = new FakeFlows();
  flows.isTracking = true;
  const random = new Random(1);
  const table = fakeFlowTable(flows, { pause: async () => {}, fails: () => false, random });
  const records = new Map<string, GuestRecord>([["web1", { ...initialRecord, migration }]]);
  const store = { get: (name: string) => records.get(name), all: () => [...records.values()] };
  const context = { host: hostFacts[host], records: store as never, flows: table, logger };
  const arriving = () => new ArrivingFlows(context, { id: "m1", guest: "web1" }, logger);
  return { flows, context, records, arriving };
}

function carried(peerPort: number) {
  const flow: GuestFlow = {
    ...{ protocol: 6, direction: "in", peer: "192.0.2.2", peerPort, guestPort: 7, icmp: null },
    ...{ state: "ESTABLISHED", replied: true, assured: true, timeoutS: 432_000 },
    windowScale: null,
  };
  return toCarriedFlow(flow);
}
