import type { Migrations } from "../../migrator/migrations.ts";
import { wallClockMs } from "../../platform/clock.ts";
import type { EventFeed } from "../event-feed.ts";
import { statusOf } from "../migration-status.ts";
import type { NameNews } from "./guest-names.ts";

/** Tells of guests' names as events of the migrations that have renumbered the guests, also long after their end. */
export function nameTeller({
  feed,
  migrations,
}: {
  feed: Pick<EventFeed, "publish">;
  migrations: Pick<Migrations, "get" | "has">;
}): (news: NameNews) => void {
  return ({ migration: id, name, address, ttlS: ttl_s, failure }) => {
    if (!migrations.has(id)) return;
    const why = failure === null ? null : { code: failure.code, message: failure.message };
    feed.publish({
      migration: statusOf(migrations.get(id)),
      event: {
        ...{ type: "name", id, name, address, ttl_s },
        ...{ failure: why, wall_clock_ms: wallClockMs() },
      },
    });
  };
}
