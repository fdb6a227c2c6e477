import { expect, test } from "vitest";
import { type StartFacts, startRefusal } from "../../../src/migrator/followed-start.ts";
import { recordOf, runningAtHome } from "./support.ts";

const tunnel = {
  kind: "ipip",
  localAddress: "172.16.1.2",
  remoteAddress: "172.16.2.2",
} as const;
const away = { ...recordOf("web1", 10), redirect: { host: "host-b", tunnel } };
const hosting = runningAtHome;
const migration = { id: "m1", epoch: 2, peer: "host-b", resume: true } as const;

const refusalOf = (facts: Partial<StartFacts>) =>
  startRefusal({
    ...{ host: "host-a", record: undefined, isSameDomain: true },
    ...{ isArriving: false, isOnArrivalTap: false, isHeld: false, isAlive: false, ...facts },
  });

test("a guest that is away, on its way, or in doubt is not started at home", () => {
  expect(refusalOf({ record: away })).toContain("web1 runs at host-b");
  const leaving = {
    ...recordOf("web1", 10),
    hosting,
    migration: { ...migration, role: "source" as const },
  };
  expect(refusalOf({ record: leaving })).toContain("on its way to host-b");
  const lost = { ...away, hosting, migration: { ...migration, role: "destination" as const } };
  expect(refusalOf({ record: lost })).toContain("not known");
  expect(refusalOf({ isHeld: true })).toContain("journal");
});

test("what arrives is not started beside its arrival, on a tap of its own", () => {
  expect(refusalOf({ record: away, isArriving: true })).toContain("web1 runs at host-b");
  const arriving = { ...away, hosting, migration: { ...migration, role: "destination" as const } };
  expect(refusalOf({ record: arriving, isArriving: true })).toContain(
    "about to arrive from host-b",
  );
});

test("what arrives, what is only of the same name, and what nobody knows a place of, starts", () => {
  expect(refusalOf({ record: away, isArriving: true, isOnArrivalTap: true })).toBeNull();
  expect(refusalOf({ record: away, isSameDomain: false, isHeld: true })).toBeNull();
  expect(refusalOf({})).toBeNull();
  expect(refusalOf({ record: { ...recordOf("web1", 10), hosting } })).toBeNull();
});
