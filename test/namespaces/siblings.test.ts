import { expect, test } from "vitest";
import { describeNamespace } from "../support/namespaces.ts";
import { type HostName, SiblingsBed } from "./siblings-bed.ts";

const hosts: HostName[] = ["a", "b", "c"];

test("siblings reach one another wherever each of them is, and on every step of the way there and back", async () => {
  await using bed = await SiblingsBed.up();
  const state = () => Promise.all(hosts.map((host) => describeNamespace(bed.hosts[host])));
  const before = await state();
  await bed.expectAllConnected("all at home");
  for (const step of ["leaving", "landed", "away"] as const) {
    await bed.bring("one", "b", step);
    await bed.expectAllConnected(`one ${step}`);
  }
  for (const step of [
    "leaving",
    "landed",
    "away",
    "returning",
    "returned",
    "handed-over",
  ] as const) {
    await bed.bring("two", "b", step);
    await bed.expectAllConnected(`one and two at b, two ${step}`);
  }
  await bed.settle("two", "b");
  for (const step of ["leaving", "landed", "away"] as const) {
    await bed.bring("two", "c", step);
    await bed.expectAllConnected(`one at b, two at c ${step}`);
  }
  for (const step of ["returning", "returned"] as const) {
    await bed.bring("one", "b", step);
    await bed.expectAllConnected(`two at c, one from b ${step}`);
  }
  await bed.settle("one", "b");
  await bed.bring("two", "c", "returned");
  await bed.settle("two", "c");
  await bed.expectAllConnected("all at home again");
  expect(await state()).toEqual(before);
}, 120_000);
