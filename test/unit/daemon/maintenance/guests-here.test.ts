import { expect, test } from "vitest";
import { ownCapacity } from "../../../../src/daemon/maintenance/capacity.ts";
import type { GuestPlaces } from "../../../../src/daemon/maintenance/guests-here.ts";
import { Maintenance } from "../../../../src/daemon/maintenance/maintenance.ts";
import { openMaintenance } from "../../../../src/daemon/maintenance/open.ts";
import { createLogger } from "../../../../src/platform/log.ts";
import { aToB, recordOf, runningAtHome, temporaryFolder } from "../../migrator/support.ts";

const arrives = { ...runningAtHome, stage: "incoming" as const };
const records = [
  { ...recordOf("web2", 11), hosting: runningAtHome },
  { ...recordOf("web1", 10), hosting: runningAtHome },
  { ...recordOf("dead", 12), hosting: runningAtHome },
  { ...recordOf("comes", 13), hosting: arrives },
  { ...recordOf("away", 14), redirect: { host: "host-b", tunnel: aToB } },
];
const places = {
  records: { all: () => records },
  guests: { instance: (guest: string) => ({ isAlive: () => guest !== "dead" }) },
} as unknown as GuestPlaces;

test("an operator is told whom the host still has, and whose traffic passes it", async () => {
  using folder = temporaryFolder();
  const maintenance = new Maintenance(folder.path, createLogger("silent"));
  const { services } = openMaintenance({ hostName: "host-a", maintenance, ...places });
  expect(await services.showMaintenance()).toEqual({
    ...{ type: "maintenance", host: "host-a", on: false, since_ms: null, reason: null },
    ...{ guests: ["web1", "web2"], arriving: ["comes"], home_of: ["away"] },
  });
  expect(await services.setMaintenance({ on: true, reason: "disks" })).toMatchObject({
    ...{ on: true, since_ms: expect.any(Number), reason: "disks" },
  });
  expect(maintenance.isOn).toBe(true);
  expect(await services.setMaintenance({ on: false })).toMatchObject({ on: false, reason: null });
});

test("a peer is told what is free, and what is going to be taken of it", async () => {
  const told = await ownCapacity("host-a", { isOn: true }, places);
  expect(told).toMatchObject({
    ...{ host: "host-a", maintenance: true, arriving: [{ guest: "comes", memory_mib: 128 }] },
    running: [
      { guest: "web2", memory_mib: 128 },
      { guest: "web1", memory_mib: 128 },
    ],
  });
  expect(told.memory_available_bytes).toBeGreaterThan(0);
  expect(told.memory_total_bytes).toBeGreaterThanOrEqual(told.memory_available_bytes);
  expect(told.cpus).toBeGreaterThan(0);
});
