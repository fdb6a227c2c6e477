import { expect, test } from "vitest";
import { checkAdmissible } from "../../../src/migrator/admission.ts";
import { departedFrom, refuseDeparted } from "../../../src/migrator/departed.ts";
import { startRefusal } from "../../../src/migrator/followed-start.ts";
import { noteGuestEnded } from "../../../src/migrator/guest-ended.ts";
import { placeOf } from "../../../src/migrator/guest-place.ts";
import { recordAtHome } from "../../../src/migrator/home-record.ts";
import type { HostContext } from "../../../src/migrator/host-context.ts";
import { incomingRecord, landedRecord } from "../../../src/migrator/incoming-record.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { definitionOf, hostA, recordOf, runningAtHome } from "./support.ts";

const departed: GuestRecord = {
  ...recordOf("web1", 10),
  departed: {
    ...{ host: "host-b", migration: "m1", renumbered: "10.2.0.50", reason: "last-flow" as const },
    ...{ atMs: 5, told: true },
  },
};
const hosting = runningAtHome;
const successor: GuestRecord = { ...recordOf("web2", 10), hosting };
const request = {
  ...{ id: "m2", guest: "web1", epoch: 2, home: departed.home, resume: true, lands_late: false },
  ...{ definition: departed.definition, tunnel_kind: "ipip" as const },
  source_underlay_address: "172.16.2.2",
};

test("its home does not start it a second time, and says where it is", () => {
  expect(() => refuseDeparted(departed)).toThrow(
    expect.objectContaining({ code: "SOJ_GUEST_DEPARTED", exitCode: 3, httpStatus: 409 }),
  );
  expect(() => refuseDeparted(recordOf("web1", 10))).not.toThrow();
  expect(placeOf(departed, "host-a")).toBe("is at host-b for good");
  const facts = { host: "host-a", record: departed, isSameDomain: true, isArriving: false };
  const rest = { isOnArrivalTap: false, isHeld: false, isAlive: false };
  expect(startRefusal({ ...facts, ...rest })).toMatch(/at host-b for good/);
});

test("its old address is another guest's to have", async () => {
  const routing = {
    linkMac: async () => "52:54:00:00:01:01",
    neighbourMac: async () => null,
    routeTo: async () => ({ device: "guests0", sourceAddress: "10.1.0.1" }),
  };
  const record = await recordAtHome(hostA, definitionOf("web2", 10), [departed], routing);
  expect(record.guest).toBe("web2");
  const here = { ...departed, hosting };
  const twin = recordAtHome(hostA, definitionOf("web2", 10), [here], routing);
  await expect(twin).rejects.toMatchObject({ code: "SOJ_GUEST_ADDRESS" });
});

test("it may come home again, unless its address is another guest's by now", () => {
  const journal = { refuseHeld: () => {}, has: () => false };
  const admit = (...known: GuestRecord[]) => {
    const records = { get: () => departed, all: () => [departed, ...known] };
    checkAdmissible({ host: hostA, journal, records } as unknown as HostContext, request, false);
  };
  expect(() => admit()).not.toThrow();
  expect(() => admit(recordOf("web3", 11))).not.toThrow();
  expect(() => admit(successor)).toThrow(expect.objectContaining({ code: "SOJ_GUEST_ADDRESS" }));
});

test("the guest that has its old address by now does not come where it is", () => {
  const hostB = { ...hostA, name: "host-b", guestNetworks: [] };
  const { departed: _at, ...there } = departed;
  const arriving = { ...request, guest: "web2", definition: successor.definition };
  const journal = { refuseHeld: () => {}, has: () => false };
  const admit = (known: GuestRecord) => {
    const records = { get: () => undefined, all: () => [known] };
    checkAdmissible({ host: hostB, journal, records } as unknown as HostContext, arriving, false);
  };
  const refusal = expect.objectContaining({ code: "SOJ_GUEST_ADDRESS", exitCode: 3 });
  expect(() => admit({ ...there, hosting: { ...hosting, retired: true } })).toThrow(refusal);
  expect(() => admit({ ...recordOf("web3", 11), hosting })).not.toThrow();
});

test("while it comes home it is remembered where it was, and no more once it has landed", () => {
  const records = { get: () => departed, all: () => [departed] };
  const context = { host: hostA, records } as unknown as HostContext;
  const coming = incomingRecord(context, request, "host-b");
  expect(coming.departed).toEqual(departed.departed);
  expect(departedFrom(coming)).toBeNull();
  expect(landedRecord(coming).departed).toBeUndefined();
});

test("when it has ended there, home can start it again", async () => {
  const forgotten: string[] = [];
  const network = {
    hold: async () => ({ [Symbol.dispose]: () => {} }),
    forget: async (guest: string, isMeant: (record: GuestRecord) => boolean) => {
      if (isMeant(departed)) forgotten.push(guest);
    },
  };
  const context = { records: { get: () => departed }, network, logger: createLogger("silent") };
  await noteGuestEnded(context as unknown as HostContext, "web1", "host-c");
  expect(forgotten).toEqual([]);
  await noteGuestEnded(context as unknown as HostContext, "web1", "host-b");
  expect(forgotten).toEqual(["web1"]);
});
