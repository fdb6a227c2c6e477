import { afterEach, beforeEach, expect, test } from "vitest";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { retireGuestHere } from "../../../src/migrator/retired-guest.ts";
import { mostCutNamed } from "../../../src/migrator/retirement-schema.ts";
import { preconditionError } from "../../../src/platform/errors.ts";
import { DrainWorld, draining, hosted, session } from "./drain-world.ts";
import { aToB, runningAtHome } from "./support.ts";

let world: DrainWorld;
const home = () => world.home.records.get("web1");
const away = () => world.away.records.get("web1");
const migration: GuestRecord["migration"] = {
  ...{ id: "m2", epoch: 2, role: "destination", peer: "host-b", resume: true },
};

beforeEach(async () => {
  world = new DrainWorld();
  world.home.flows = [session("1"), session("2", { state: "TIME_WAIT" })];
  await world.begin();
  await world.pass(2_000);
});
afterEach(() => world[Symbol.asyncDispose]());

/** What it comes to within a time. */
async function outcome<Result>(work: Promise<Result>, withinMs = 20_000) {
  const caught = work.catch((error: unknown) => error);
  await world.pass(withinMs);
  return (await caught) as Result & { code?: string };
}

test("asked first, it says whom it cuts off, and changes nothing", async () => {
  expect(await world.retirements.retire("web1", false)).toEqual({
    ...{ type: "retirement", guest: "web1", host: "host-b", home: "host-a", freed: "10.1.0.10" },
    ...{ renumbered: "10.2.0.50", reason: "by-hand", state: "described", cut_count: 1 },
    cut: [
      {
        ...{ protocol: "tcp", peer: "192.0.2.2:40001", guest: "10.1.0.10:7" },
        ...{ state: "ESTABLISHED", idle_s: 2 },
      },
    ],
  });
  expect(home()).toMatchObject({ redirect: { host: "host-b" } });
  expect(home()?.redirect?.retiring).toBeUndefined();
});

test("confirmed, it is done on both hosts before it answers, live sessions or not", async () => {
  const done = await outcome(world.retirements.retire("web1", true));
  expect(done).toMatchObject({ state: "retired", reason: "by-hand", cut_count: 1 });
  expect(home()).toMatchObject({ redirect: null, departed: { reason: "by-hand", told: true } });
  expect(away()?.hosting).toMatchObject({ homeTunnel: null, retired: true });
  expect(world.told.at(-1)).toBe("retired web1 by-hand");
});

test("once it is done the same command says so, and nothing happens again", async () => {
  await outcome(world.retirements.retire("web1", true));
  const told = world.told.length;
  const again = await outcome(world.retirements.retire("web1", true));
  expect(again).toMatchObject({ state: "retired", freed: "10.1.0.10", renumbered: "10.2.0.50" });
  expect(world.told).toHaveLength(told);
});

test("where the guest is, home is asked", async () => {
  const described = await world.awayRetirements.retire("web1", false);
  expect(described).toMatchObject({ state: "described", host: "host-b", cut_count: 1 });
  const done = await outcome(world.awayRetirements.retire("web1", true));
  expect(done).toMatchObject({ state: "retired", reason: "by-hand" });
  expect(away()?.hosting?.retired).toBe(true);
});

test("without another address the guest is cut off from everybody, and the answer tells it", async () => {
  world.home.records.put({ ...draining, redirect: { host: "host-b", tunnel: aToB } });
  const { renumbered: _, ...plain } = hosted.hosting ?? ({} as never);
  world.away.records.put({ ...hosted, hosting: plain });
  world.away.flows = [session("3"), session("4", { original: near, reply: nearReply })];
  expect(await world.retirements.retire("web1", false)).toMatchObject({ renumbered: null });
  expect(await outcome(world.retirements.retire("web1", true))).toMatchObject({ state: "retired" });
  expect(home()?.departed).toMatchObject({ renumbered: null, migration: null });
  // Its sessions with its host's own guests never passed home.
  expect(world.away.log.at(-1)).toBe("forget 3");
});

test("a guest's host that does not answer is waited for for a while, then in the background", async () => {
  world.isReachable = false;
  const answer = await outcome(world.retirements.retire("web1", true));
  expect(answer).toMatchObject({ state: "retiring", reason: "by-hand" });
  expect(home()?.redirect?.retiring).toBe("by-hand");
  expect(await world.retirements.retire("web1", false)).toMatchObject({ state: "retiring" });
  world.isReachable = true;
  await world.pass(61_000);
  expect(home()?.departed?.reason).toBe("by-hand");
});

test("during a migration it is refused at both hosts, with nothing changed", async () => {
  const busy = { code: "SOJ_GUEST_BUSY", exitCode: 3, httpStatus: 409 };
  world.home.records.put({ ...draining, migration });
  await expect(world.retirements.retire("web1", true)).rejects.toMatchObject(busy);
  world.home.records.put(draining);
  world.home.isArriving = true;
  await expect(world.retirements.retire("web1", true)).rejects.toMatchObject(busy);
  world.home.isArriving = false;
  world.away.records.put({ ...hosted, migration: migration && { ...migration, role: "source" } });
  await expect(world.awayRetirements.retire("web1", true)).rejects.toMatchObject(busy);
  expect(home()?.redirect?.retiring).toBeUndefined();
});

test("a migration that begins at the guest's host while it is decided is waited for", async () => {
  world.away.records.put({ ...hosted, migration: migration && { ...migration, role: "source" } });
  const answer = await outcome(world.retirements.retire("web1", true));
  expect(answer).toMatchObject({ state: "retiring" });
  expect(away()?.hosting?.retired).toBeUndefined();
  world.away.records.put(hosted);
  await world.pass(61_000);
  expect(home()?.departed).toBeDefined();
});

test("one at home, and one that is nowhere, have no redirect", async () => {
  const refused = { code: "SOJ_NOT_REDIRECTED", exitCode: 3 };
  const hosting = runningAtHome;
  world.home.records.put({ ...draining, redirect: null, hosting });
  await expect(world.retirements.retire("web1", true)).rejects.toMatchObject(refused);
  await expect(world.retirements.retire("web2", true)).rejects.toMatchObject(refused);
});

test("where home tracks nothing, whom it cuts off is not known", async () => {
  world.home.flowsFailure = preconditionError("SOJ_FLOWS_UNTRACKED", "no");
  const described = await world.retirements.retire("web1", false);
  expect(described).toMatchObject({ cut: null, cut_count: null });
});

test("of very many flows the first are named, and all counted", async () => {
  world.home.flows = Array.from({ length: 3_000 }, (_, index) => session(String(index)));
  const { cut, cut_count } = await world.retirements.retire("web1", false);
  expect([cut?.length, cut_count]).toEqual([mostCutNamed, 3_000]);
});

test("another host has no say in it, neither at home nor where the guest is", async () => {
  const stranger = { peer: "host-c", addresses: [] };
  const refused = { code: "SOJ_PEER_NOT_CONCERNED", httpStatus: 403 };
  const handlers = { home: world.retirements.handlers(), away: world.awayRetirements.handlers() };
  const asked = handlers.home["retire-guest"]({ guest: "web1", confirm: true }, stranger);
  await expect(asked).rejects.toMatchObject(refused);
  const told = { guest: "web1", epoch: 1, reason: "by-hand" as const };
  await expect(handlers.away["retire-redirect"](told, stranger)).rejects.toMatchObject(refused);
  expect(away()?.hosting?.retired).toBeUndefined();
});

test("a call that was meant for an earlier stay retires no later one", async () => {
  const context = world.away.context({} as never);
  const late = { guest: "web1", epoch: 0, reason: "cap" };
  await expect(retireGuestHere(context, late, "host-a")).rejects.toMatchObject({
    code: "SOJ_STALE_EPOCH",
  });
  const asked = await retireGuestHere(context, { ...late, epoch: null }, "host-a");
  expect(asked).toEqual({ state: "redirected", epoch: 1, forgotten: 0 });
  expect(away()?.hosting?.retired).toBeUndefined();
});

test("nothing is retired beneath a migration that is about to begin", async () => {
  world.away.isLeaving = true;
  const context = world.away.context({} as never);
  const told = { guest: "web1", epoch: 1, reason: "cap" };
  await expect(retireGuestHere(context, told, "host-a")).rejects.toMatchObject({
    ...{ code: "SOJ_GUEST_BUSY", retryable: true },
  });
  expect(away()?.hosting?.retired).toBeUndefined();
  world.away.isLeaving = false;
  expect(await retireGuestHere(context, told, "host-a")).toMatchObject({ state: "retired" });
});

const counted = { icmp: null, packets: 1, bytes: 100, sourcePort: 7, destinationPort: 9 };
const near = { source: "10.2.0.20", destination: "10.1.0.10", ...counted };
const nearReply = { source: "10.1.0.10", destination: "10.2.0.20", ...counted };
