import { expect, test } from "vitest";
import type { AwayRecord } from "../../../src/migrator/open-redirect.ts";
import { epochAtHome, released, repointed, withNext } from "../../../src/migrator/repointing.ts";
import { drain } from "./drain-world.ts";
import { aToB, recordOf } from "./support.ts";

const aToC = { ...aToB, remoteAddress: "172.16.3.2" };
const away: AwayRecord = {
  ...{ ...recordOf("web1", 10), epoch: 3 },
  redirect: { host: "host-b", tunnel: aToB },
};
const next = { host: "host-c", tunnel: aToC, migration: "m4", epoch: 4 };
const prepared = { ...away, redirect: { ...away.redirect, next } };
const there = { host: "host-c", tunnel: aToC };
const previous = { host: "host-b", tunnel: aToB, migration: "m4" };

test("what home prepares changes neither its route nor its epoch, and the newest preparation counts", () => {
  expect(withNext(away, next)).toEqual(prepared);
  expect(epochAtHome(away)).toBe(3);
  expect(epochAtHome(prepared)).toBe(4);
  const again = { ...next, migration: "m5", epoch: 5 };
  expect(withNext(prepared, again)).toEqual({
    ...away,
    redirect: { ...away.redirect, next: again },
  });
});

test("home follows the guest and remembers the host that it has left until the move is over", () => {
  const followed = repointed(prepared, { ...there, epoch: 4 });
  expect(followed).toEqual({ ...away, epoch: 4, redirect: { ...there, previous } });
  expect(released(followed as AwayRecord, "m4")).toEqual({ ...away, epoch: 4, redirect: there });
});

test("a drain that the move before began ends with the address that the guest had there", () => {
  const draining = { ...prepared, redirect: { ...prepared.redirect, drain } };
  expect(repointed(draining, { ...there, epoch: 4 }).redirect).toEqual({ ...there, previous });
  expect(repointed(draining, { host: "host-b", tunnel: aToB, epoch: 5 }).redirect?.drain).toEqual(
    drain,
  );
});

test("a drain begins with the address that the guest has at the next host, and once", () => {
  const draining = { ...prepared, redirect: { ...prepared.redirect, drain } };
  const begun = { ...drain, migration: "m4", renumbered: "10.3.0.10" };
  const followed = repointed(draining, {
    ...there,
    epoch: 4,
    drain: begun,
    sinceMs: 7,
  }) as AwayRecord;
  expect(followed.redirect).toEqual({ ...there, previous, drain: begun, sinceMs: 7 });
  const late = { ...begun, begunMs: 9 };
  expect(repointed(followed, { ...there, epoch: 4, drain: late })).toEqual(followed);
});

test("a host where the guest was before is not believed, and one where it is may say so again", () => {
  const followed = repointed(prepared, { ...there, epoch: 4 }) as AwayRecord;
  expect(repointed(followed, { ...there, epoch: 4 })).toEqual(followed);
  for (const epoch of [3, 4]) {
    const late = () => repointed(followed, { host: "host-b", tunnel: aToB, epoch });
    expect(late).toThrow(expect.objectContaining({ code: "SOJ_STALE_EPOCH" }));
  }
  const older = () => repointed(followed, { ...there, epoch: 3 });
  expect(older).toThrow(expect.objectContaining({ code: "SOJ_STALE_EPOCH" }));
});

test("a guest that an operator keeps where it is ends what was prepared for the move, but nothing newer", () => {
  const stays = { host: "host-b", tunnel: aToB };
  expect(repointed(prepared, { ...stays, epoch: 5 })).toEqual({ ...away, epoch: 5 });
  expect(repointed(prepared, { ...stays, epoch: 3 })).toEqual(prepared);
});

test("a host that home was not prepared for is believed under a newer epoch alone", () => {
  const tunnel = { ...aToB, remoteAddress: "172.16.4.2" };
  const moved = repointed(prepared, { host: "host-d", tunnel, epoch: 6 });
  const unknown = { ...previous, migration: "" };
  expect(moved.redirect).toEqual({ host: "host-d", tunnel, previous: unknown });
  expect(moved.epoch).toBe(6);
});

test("the end of one move takes nothing of another one", () => {
  expect(released(away, "m4")).toBeNull();
  expect(released(prepared, "m3")).toBeNull();
  expect(released(prepared, "m4")).toEqual(away);
  const both: AwayRecord = {
    ...away,
    redirect: { ...there, previous, next: { ...next, migration: "m5" } },
  };
  expect(released(both, "m4")?.redirect).toEqual({ ...there, next: { ...next, migration: "m5" } });
  expect(released(both, "m5")?.redirect).toEqual({ ...there, previous });
});
