import type { Migrations } from "../../migrator/migrations.ts";
import type { RecordStore } from "../../migrator/record-store.ts";
import type { Logger } from "../../platform/log.ts";
import type { DaemonConfig } from "../config.ts";
import type { FeedSource } from "./feed-source.ts";
import { guestFactsOf, isHere } from "./guest-facts.ts";
import { Hooks } from "./hooks.ts";

/** The host's hooks; nothing is told before `begin`. */
export function createHooks(parts: {
  config: DaemonConfig;
  feed: FeedSource;
  migrations: Migrations;
  records: RecordStore;
  isGuestStanding: () => boolean;
  logger: Logger;
}): Hooks {
  const { config, feed, migrations, records, isGuestStanding, logger } = parts;
  const hooks = new Hooks({
    ...{ hostName: config.host.name, config: config.hooks, webhooks: config.webhooks },
    ...{ stateFolder: config.paths.state, feed, migrations, isGuestStanding, logger },
    guestFacts: (guest) => {
      const record = records.get(guest);
      return record === undefined ? null : guestFactsOf(record);
    },
    guestsHere: () =>
      new Map(
        records
          .all()
          .filter(isHere)
          .map((record) => [record.guest, guestFactsOf(record)]),
      ),
  });
  hooks.owns(records.subscribe(() => hooks.noteGuests()));
  return hooks;
}
