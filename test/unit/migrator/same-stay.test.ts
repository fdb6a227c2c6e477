import { expect, test } from "vitest";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { isSameStay, isStillEnded } from "../../../src/migrator/same-stay.ts";
import { bToA, recordOf } from "./support.ts";

const hosting = {
  ...{ stage: "running" as const, tableIndex: 0, homeTunnel: bToA, sourceTunnel: null },
};
const here: GuestRecord = { ...recordOf("web1", 10), hosting };

test("a guest whose arrival home has heard of meanwhile is on the same stay, one that was started anew is not", () => {
  const untold = { ...here, hosting: { ...hosting, homeUntold: true } };
  expect(isSameStay(here, here)).toBe(true);
  expect(isSameStay(here, untold)).toBe(true);
  expect(isSameStay(untold, here)).toBe(true);
  expect(isSameStay(here, { ...here })).toBe(false);
  expect(isSameStay(untold, { ...here, epoch: 2 })).toBe(false);
  expect(isSameStay(untold, { ...here, hosting: null })).toBe(false);
});

test("a guest that has ended is forgotten also when its anchor is another one since", () => {
  const handed = { ...here, epoch: here.epoch + 1, home: { ...here.home, host: "anchor-b" } };
  expect(isStillEnded(here, here)).toBe(true);
  expect(isStillEnded(handed, here)).toBe(true);
  const arriving = { ...handed, hosting: { ...hosting, stage: "incoming" as const } };
  expect(isStillEnded(arriving, here)).toBe(false);
});
