import type { MigrationEvent, MigrationStatus } from "../services.ts";

/** An event of one of this host's migrations, and what that migration is since. */
export interface HookFeedEvent {
  wallClockMs: number;
  migration: MigrationStatus;
  /** Null for an end of which only the state is known. */
  event: MigrationEvent | null;
}

/** Where hooks learn of migrations: the event feed. */
export interface FeedSource {
  /** `listener` must be quick. */
  subscribe(listener: (event: HookFeedEvent) => void): Disposable;
}
