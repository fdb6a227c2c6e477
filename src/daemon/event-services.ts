import type { StoredMigration } from "../migrator/stored-migration.ts";
import type { EventFeed, FeedEvent, FeedGap } from "./event-feed.ts";
import { isEnd } from "./event-history.ts";
import type { Lifelines } from "./lifelines.ts";
import type { DaemonServices, FollowedEvent, FollowedHostEvent, HostEvent } from "./services.ts";
import { gapEvent, storedEvents } from "./stored-events.ts";

export interface EventServicesOptions {
  feed: EventFeed;
  migrations: { get(id: string): StoredMigration; isRunning(id: string): boolean };
  lifelines: Lifelines;
}

type EventServices = Pick<DaemonServices, "migrationEvents" | "hostEvents" | "lastEventId">;

/** Streams of events: of migrations under way and of lately ended ones from the feed, of older ones as stored. */
export function createEventServices(options: EventServicesOptions): EventServices {
  const { feed, migrations, lifelines } = options;
  return {
    migrationEvents(id, signal, { abortOnDisconnect, afterId } = {}) {
      const stored = migrations.get(id);
      const isRunning = () => migrations.isRunning(id);
      if (!isRunning() && !feed.knows(id)) return streamOf(storedEvents(stored, afterId));
      const events = followed(feed.followMigration(id, signal, afterId, isRunning), migrations);
      return abortOnDisconnect ? tied(events, id, lifelines, signal) : events;
    },
    hostEvents: (signal, afterId) => followedOnHost(feed.follow(signal, afterId)),
    lastEventId: () => feed.lastId,
  };
}

async function* streamOf(events: readonly FollowedEvent[]): AsyncGenerator<FollowedEvent> {
  yield* events;
}

async function* followed(
  items: AsyncIterable<FeedEvent | FeedGap>,
  migrations: EventServicesOptions["migrations"],
): AsyncGenerator<FollowedEvent> {
  for await (const item of items) {
    if ("gap" in item) {
      yield { id: null, event: gapEvent(item.gap) };
      continue;
    }
    const { id, event } = item;
    // Probers may have added to the report since it was told.
    const report = event.type === "report" ? migrations.get(event.id).report : null;
    yield { id, event: report ?? event };
  }
}

async function* followedOnHost(
  items: AsyncIterable<FeedEvent | FeedGap>,
): AsyncGenerator<FollowedHostEvent> {
  for await (const item of items) {
    if ("gap" in item) {
      yield { id: null, event: gapEvent(item.gap) };
      continue;
    }
    yield { id: item.id, event: hostEventOf(item) };
  }
}

/** The same for all readers, so that it is made into text only once. */
const hostEvents = new WeakMap<FeedEvent, HostEvent>();

function hostEventOf(item: FeedEvent): HostEvent {
  const { wallClockMs, migration, event } = item;
  const known = hostEvents.get(item) ?? { wall_clock_ms: wallClockMs, migration, event };
  hostEvents.set(item, known);
  return known;
}

/** The migration ends with its follower. */
async function* tied(
  events: AsyncIterable<FollowedEvent>,
  id: string,
  lifelines: Lifelines,
  signal: AbortSignal,
): AsyncGenerator<FollowedEvent> {
  lifelines.followed(id);
  let over = false;
  const left = () => lifelines.left(id, over);
  if (signal.aborted) left();
  signal.addEventListener("abort", left, { once: true });
  for await (const item of events) {
    over ||= item.event.type !== "gap" && isEnd(item.event);
    yield item;
  }
}
