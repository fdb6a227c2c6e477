import { expect, test } from "vitest";
import { incomingRecord, landedRecord } from "../../../src/migrator/incoming-record.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { recordAway } from "../../../src/migrator/superseded.ts";
import { aToB, hostA, recordOf } from "./support.ts";

const home = { ...recordOf("web1", 10), epoch: 2 };
const request = {
  ...{ id: "m2", guest: "web1", epoch: 3, definition: home.definition, home: home.home },
  ...{ source_underlay_address: "172.16.2.2", tunnel_kind: "ipip" as const, resume: true },
  lands_late: false,
};
const drain = {
  ...{ migration: "m1", renumbered: "10.2.0.2", begunMs: 1, nameUpdatedMs: 2, nameTtlS: 5 },
  ...{ idleTimeoutS: 60, capS: null },
};
const departed = {
  ...{ host: "host-b", migration: "m1", renumbered: "10.2.0.2", atMs: 1 },
  reason: "last-flow" as const,
};

function arriving(known: GuestRecord): GuestRecord {
  const records = { get: () => known, all: () => [known] };
  return incomingRecord({ host: hostA, records } as never, request, "host-b");
}

test("a guest that an operator keeps away is away as it was, whether it had landed at home or not", () => {
  const cases: GuestRecord[] = [
    { ...home, redirect: { host: "host-b", tunnel: aToB } },
    { ...home, redirect: { host: "host-b", tunnel: aToB, drain } },
    { ...home, departed },
  ];
  for (const known of cases) {
    const record = arriving(known);
    for (const one of [record, landedRecord(record)]) {
      expect(recordAway({ host: hostA }, one)).toEqual({ ...known, epoch: 3 });
    }
    expect(landedRecord(record)).not.toHaveProperty("departed");
  }
  const landed = landedRecord(arriving(home));
  expect(recordAway({ host: { ...hostA, name: "host-c" } }, landed)).toBeNull();
});
