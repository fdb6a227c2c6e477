import { afterEach, beforeEach, expect, test } from "vitest";
import { preconditionError } from "../../../src/platform/errors.ts";
import { settled } from "../platform/fake-clock.ts";
import { DrainWorld, drain, draining, hosted, session } from "./drain-world.ts";
import { aToB, recordOf, runningAtHome } from "./support.ts";

let world: DrainWorld;
const home = () => world.home.records.get("web1");
const away = () => world.away.records.get("web1");

beforeEach(() => {
  world = new DrainWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

test("a redirect stays while a session uses it, and goes on both hosts once it has ended", async () => {
  world.home.flows = [session("1")];
  await world.begin();
  for (let round = 0; round < 100; round += 1) {
    // Each sets its expiry anew.
    world.home.flows = [session("1")];
    await world.pass(2_000);
  }
  expect(home()?.redirect).not.toBeNull();
  expect(world.drains.figures()).toEqual([{ guest: "web1", flows: 1 }]);
  world.home.flows = [session("1", { state: "TIME_WAIT" })];
  await world.pass(10_000);
  expect(home()).toMatchObject({
    redirect: null,
    departed: { host: "host-b", migration: "m1", renumbered: "10.2.0.50", reason: "last-flow" },
  });
  expect(away()?.hosting).toMatchObject({
    homeTunnel: null,
    retired: true,
    renumbered: "10.2.0.50",
  });
  expect(world.told).toEqual(["draining web1", "retired web1 last-flow"]);
  expect(home()?.departed?.told).toBe(true);
  expect(world.drains.figures()).toEqual([]);
});

test("home lets go after the guest's host, and forgets what its kernel remembers", async () => {
  world.home.flows = [session("1", { state: "TIME_WAIT" })];
  world.away.flows = [session("7", { mark: 0x80_0000 }), session("8")];
  await world.begin();
  await world.pass(10_000);
  const gone = ["0 routes into tunnels", "no tunnel"];
  expect(world.away.log).toEqual([...gone, "forget 7"]);
  expect(world.home.log).toEqual([...gone, "forget 1"]);
});

test("a session that sends nothing holds it until the idle time-out, half-dead ones too", async () => {
  world.home.flows = [session("1"), session("2", { state: "CLOSE_WAIT", expiresS: 100 })];
  await world.begin();
  await world.pass(50_000);
  expect(home()?.redirect).not.toBeNull();
  await world.pass(20_000);
  expect(home()?.departed?.reason).toBe("idle");
});

test("scans of the old address, and sessions that are over, do not hold it", async () => {
  world.home.flows = [session("1", { state: "TIME_WAIT" })];
  await world.begin();
  for (let round = 2; round < 10; round += 1) {
    world.home.flows = [session(String(round), { state: "SYN_SENT", replied: false })];
    await world.pass(1_000);
  }
  expect(home()?.departed?.reason).toBe("last-flow");
});

test("its cap ends it under a live session; a wall clock that jumps an hour does not", async () => {
  world.home.records.put({
    ...draining,
    redirect: { host: "host-b", tunnel: aToB, drain: { ...drain, capS: 600, idleTimeoutS: 1e6 } },
  });
  world.home.flows = [session("1")];
  await world.begin();
  await world.pass(300_000, 2_000);
  world.clock.wallOffsetMs = 3_600_000;
  await world.pass(280_000, 2_000);
  expect(home()?.redirect).not.toBeNull();
  await world.pass(30_000, 2_000);
  expect(home()?.departed?.reason).toBe("cap");
});

test("a name's time to live is waited for, and no clock that is set shortens it", async () => {
  const named = { ...drain, nameUpdatedMs: null, nameTtlS: 300 };
  const redirect = { host: "host-b", tunnel: aToB };
  world.home.records.put({ ...draining, redirect: { ...redirect, drain: named } });
  await world.begin();
  await world.pass(400_000, 2_000);
  expect(home()?.redirect).not.toBeNull();
  const current = home()?.redirect?.drain ?? named;
  const nameUpdatedMs = world.clock.nowMs;
  world.home.records.put({
    ...draining,
    redirect: { ...redirect, drain: { ...current, nameUpdatedMs } },
  });
  world.clock.wallOffsetMs = 86_400_000;
  await world.pass(290_000, 2_000);
  expect(home()?.redirect).not.toBeNull();
  await world.pass(30_000, 2_000);
  expect(home()?.departed?.reason).toBe("last-flow");
});

test("a daemon that is restarted in the middle goes on: time counts, idleness begins anew, the end comes once", async () => {
  world.home.records.put({
    ...draining,
    redirect: { host: "host-b", tunnel: aToB, drain: { ...drain, capS: 600 } },
  });
  world.home.flows = [session("1", { expiresS: null })];
  await world.begin();
  await world.pass(400_000, 2_000);
  await world.restart();
  await world.pass(2_000);
  expect(world.drains.figures()).toEqual([{ guest: "web1", flows: 1 }]);
  await world.pass(180_000, 2_000);
  expect(home()?.redirect).not.toBeNull();
  await world.pass(30_000, 2_000);
  expect(home()?.departed?.reason).toBe("cap");
  await world.restart();
  await world.pass(30_000);
  expect(world.told.filter((line) => line.startsWith("retired"))).toHaveLength(1);
});

test("an idle session is looked at anew after a restart", async () => {
  world.home.flows = [session("1")];
  await world.begin();
  await world.pass(40_000);
  await world.restart();
  await world.pass(40_000);
  expect(home()?.redirect).not.toBeNull();
  await world.pass(40_000);
  expect(home()?.departed?.reason).toBe("idle");
});

test("while the guest's host does not answer the redirect stays; it is asked less and less often", async () => {
  world.isReachable = false;
  await world.begin();
  await world.pass(600_000, 2_000);
  expect(home()?.redirect).toMatchObject({ retiring: "last-flow" });
  expect(world.home.log).toEqual([]);
  world.isReachable = true;
  await world.pass(61_000, 2_000);
  expect(home()?.departed?.reason).toBe("last-flow");
});

test("an answer that is lost is asked for again: both hosts end up the same", async () => {
  world.answersToLose = 2;
  await world.begin();
  await world.pass(60_000, 2_000);
  expect(home()?.redirect).toBeNull();
  expect(world.away.log.filter((line) => line === "no tunnel")).toHaveLength(1);
  expect(world.told).toEqual(["draining web1", "retired web1 last-flow"]);
});

test("a daemon that dies between the two hosts goes on where it was", async () => {
  await world.begin();
  world.home.networkFailure = new Error("EIO");
  await world.pass(30_000);
  expect(away()?.hosting?.retired).toBe(true);
  expect(home()?.redirect?.retiring).toBe("last-flow");
  world.home.networkFailure = null;
  await world.restart();
  await world.pass(5_000);
  expect(home()?.redirect).toBeNull();
  expect(world.told.filter((line) => line.startsWith("retired"))).toHaveLength(1);
});

test("a kernel that refuses, and lets go later, is asked less and less often; nothing is forgotten or told before", async () => {
  world.home.flows = [session("1", { state: "TIME_WAIT" })];
  await world.begin();
  world.home.networkFailure = new Error("EBUSY");
  await world.pass(120_000, 1_000);
  const refused = world.home.log.length;
  expect(refused).toBeGreaterThan(4);
  expect(refused).toBeLessThan(8);
  expect(new Set(world.home.log)).toEqual(new Set(["refused"]));
  expect(home()?.redirect?.retiring).toBe("last-flow");
  expect(world.home.flows).toHaveLength(1);
  expect(world.told).toEqual(["draining web1"]);
  world.home.networkFailure = null;
  await world.pass(61_000, 1_000);
  expect(home()?.redirect).toBeNull();
  expect(world.told).toEqual(["draining web1", "retired web1 last-flow"]);
});

test("one that dies before it has told of it tells afterwards", async () => {
  await world.drains[Symbol.asyncDispose]();
  const departed = { host: "host-b", migration: "m1", renumbered: null, reason: "idle" } as const;
  world.home.records.put({ ...draining, redirect: null, departed: { ...departed, atMs: 5 } });
  await world.restart();
  await settled();
  await world.pass(100);
  expect(world.told).toEqual(["retired web1 idle"]);
  await world.restart();
  await world.pass(5_000);
  expect(world.told).toHaveLength(1);
});

test("where nothing can be counted only the cap ends it", async () => {
  world.home.flowsFailure = preconditionError("SOJ_FLOWS_UNTRACKED", "no");
  world.home.records.put({
    ...draining,
    redirect: { host: "host-b", tunnel: aToB, drain: { ...drain, capS: 600 } },
  });
  await world.begin();
  await world.pass(590_000, 2_000);
  expect(home()?.redirect).not.toBeNull();
  expect(world.drains.figures()).toEqual([{ guest: "web1", flows: null }]);
  await world.pass(30_000, 2_000);
  expect(home()?.departed?.reason).toBe("cap");
});

test("while a guest stands nobody looks", async () => {
  world.home.isGuestStanding = true;
  await world.begin();
  await world.pass(30_000);
  expect(world.home.looks).toBe(0);
  world.home.isGuestStanding = false;
  await world.pass(10_000);
  expect(home()?.redirect).toBeNull();
});

test("a migration, the guest's return and its end end the drain; one that is rolled back begins it anew", async () => {
  world.home.flows = [session("1")];
  await world.begin();
  await world.pass(5_000);
  const migration = { id: "m2", epoch: 2, role: "destination", peer: "host-b", resume: true };
  world.home.records.put({ ...draining, migration: migration as never });
  await settled();
  expect(world.drains.figures()).toEqual([]);
  world.home.flows = [];
  await world.pass(30_000);
  expect(home()?.redirect).not.toBeNull();
  world.home.flows = [session("1")];
  world.home.records.put(draining);
  await world.pass(5_000);
  expect(world.drains.figures()).toEqual([{ guest: "web1", flows: 1 }]);
  world.home.records.remove("web1");
  await world.pass(30_000);
  expect(home()).toBeUndefined();
  expect(world.drains.figures()).toEqual([]);
});

test("a redirect that nothing drains stays for ever", async () => {
  world.home.records.put({ ...draining, redirect: { host: "host-b", tunnel: aToB } });
  await world.begin();
  await world.pass(600_000, 5_000);
  expect(home()?.redirect).not.toBeNull();
  expect(world.home.looks).toBe(0);
});

test("flows of an address that is another guest's by now are left alone", async () => {
  world.home.flows = [session("1", { state: "TIME_WAIT" })];
  world.isReachable = false;
  await world.begin();
  await world.pass(10_000);
  const hosting = runningAtHome;
  world.home.records.put({ ...recordOf("web2", 10), hosting });
  world.isReachable = true;
  await world.pass(61_000, 2_000);
  expect(home()?.redirect).toBeNull();
  expect(world.home.log).not.toContainEqual(expect.stringMatching(/^forget/));
});

test("a guest that its host does not know (any more) leaves no redirect behind", async () => {
  world.away.records.remove("web1");
  await world.begin();
  await world.pass(10_000);
  expect(home()).toMatchObject({ redirect: null, departed: { host: "host-b" } });
  expect(hosted.guest).toBe("web1");
});
