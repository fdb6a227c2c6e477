import { expect, test } from "vitest";
import { EventFeed, type FeedEvent, type FeedGap } from "../../../src/daemon/event-feed.ts";
import type { MigrationEvent } from "../../../src/daemon/services.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { phaseEvent, reportWith, status } from "../../support/fake-services.ts";

const never = new AbortController().signal;

function feedOf() {
  const feed = new EventFeed(createLogger("silent"));
  const publish = (event: MigrationEvent, id = "m1") =>
    feed.publish({ migration: { ...status, id }, event }).id;
  return { feed, publish };
}

const progress: MigrationEvent = {
  ...{ type: "progress", id: "m1", transferred_bytes: 1, remaining_bytes: 1, total_bytes: 2 },
  ...{ bandwidth_mbps: 1, dirty_mbps: null, dirty_syncs: 1, predicted_blackout_ms: null },
};

function idOf(item: FeedEvent | FeedGap): string {
  return "gap" in item ? `gap: ${item.gap}` : item.id;
}

async function idsOf(items: AsyncIterable<FeedEvent | FeedGap>): Promise<string[]> {
  return Array.fromAsync(items, idOf);
}

test("listeners are told at once, and one that fails harms nobody", () => {
  const { feed, publish } = feedOf();
  const seen: string[] = [];
  using _failing = feed.subscribe(() => {
    throw new Error("no");
  });
  {
    using _listening = feed.subscribe(({ id, migration }) => seen.push(`${id} ${migration.id}`));
    publish(phaseEvent);
  }
  publish(phaseEvent);
  expect(seen).toEqual([`${feed.lastId.replace(/-2$/, "-1")} m1`]);
});

test("a migration's events are told from the first to the result, whoever comes when", async () => {
  const { feed, publish } = feedOf();
  const early = idsOf(feed.followMigration("m1", never));
  const ids = [publish(phaseEvent)];
  publish(phaseEvent, "m2");
  const middle = idsOf(feed.followMigration("m1", never));
  ids.push(publish(phaseEvent), publish(reportWith({})));
  expect(await early).toEqual(ids);
  expect(await middle).toEqual(ids);
  expect(await idsOf(feed.followMigration("m1", never))).toEqual(ids);
  expect(await idsOf(feed.followMigration("m1", never, ids[0]))).toEqual(ids.slice(1));
  expect(await idsOf(feed.followMigration("m1", never, ids[2], () => false))).toEqual([]);
});

test("a new attempt is told without the earlier one, but whoever knew that one misses nothing", async () => {
  const { feed, publish } = feedOf();
  const inDoubt = { ...reportWith({ outcome: "in-doubt" }) };
  const first = [publish(phaseEvent), publish(inDoubt)];
  const second = [publish(phaseEvent), publish(reportWith({}))];
  expect(await idsOf(feed.followMigration("m1", never))).toEqual(second);
  expect(await idsOf(feed.followMigration("m1", never, first[0]))).toEqual([first[1]]);
  expect(await idsOf(feed.followMigration("m1", never, first[1]))).toEqual(second);
});

test("ids of another daemon and of the future are answered with a gap and everything", async () => {
  const { feed, publish } = feedOf();
  const ids = [publish(phaseEvent), publish(reportWith({}))];
  for (const unknown of ["", "nonsense", "0123abcd-1", feed.lastId.replace(/\d+$/, "999")]) {
    const told = await idsOf(feed.followMigration("m1", never, unknown));
    expect(told).toEqual(["gap: other-daemon", ...ids]);
  }
});

test("the whole host is followed from now on, or after an event", async () => {
  const { feed, publish } = feedOf();
  const first = publish(phaseEvent);
  const stop = new AbortController();
  const live = idsOf(feed.follow(stop.signal));
  await Promise.resolve();
  const ids = [publish(reportWith({})), publish(phaseEvent, "m2")];
  const later = idsOf(feed.follow(stop.signal, first));
  await new Promise(setImmediate);
  stop.abort();
  expect(await live).toEqual(ids);
  expect(await later).toEqual(ids);
});

test("of a long migration progress is forgotten first, and a reader that needs it is told", async () => {
  const { feed, publish } = feedOf();
  const first = publish(phaseEvent);
  const early = publish(progress);
  for (let count = 0; count < 6_000; count += 1) publish(progress);
  const last = publish(reportWith({}));
  const fresh = await idsOf(feed.followMigration("m1", never));
  expect(fresh[0]).toBe(first);
  expect(fresh.at(-1)).toBe(last);
  expect(fresh.length).toBeLessThan(2_600);
  const late = await idsOf(feed.followMigration("m1", never, early));
  expect(late[0]).toBe("gap: too-old");
  expect(late.at(-1)).toBe(last);
  expect(new Set(late).size).toBe(late.length);
  expect(late).not.toContain(early);
});

test("a reader that stands while much happens is told of what it missed, and gets the rest once", async () => {
  const { feed, publish } = feedOf();
  const stop = new AbortController();
  const slow = feed.follow(stop.signal);
  const pending = slow.next();
  publish(phaseEvent);
  await pending;
  for (let count = 0; count < 30_000; count += 1) publish(progress, `m${count % 7}`);
  const last = publish(phaseEvent);
  const seen: string[] = [];
  for await (const item of slow) {
    seen.push(idOf(item));
    if (idOf(item) === last) stop.abort();
  }
  expect(seen.filter((id) => id.startsWith("gap"))).toEqual(["gap: too-old"]);
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen.length).toBeLessThan(13_000);
});

test("many ended migrations are forgotten, the oldest first; those under way never", async () => {
  const { feed, publish } = feedOf();
  publish(phaseEvent, "open");
  for (let count = 0; count < 200; count += 1) publish(reportWith({}), `m${count}`);
  expect(feed.knows("m0")).toBe(false);
  expect(feed.knows("m199")).toBe(true);
  expect(feed.knows("open")).toBe(true);
});

test("a reader that goes away while nothing happens is let go", async () => {
  const { feed } = feedOf();
  const stop = new AbortController();
  const waiting = idsOf(feed.followMigration("m1", stop.signal));
  await new Promise(setImmediate);
  stop.abort();
  expect(await waiting).toEqual([]);
});
