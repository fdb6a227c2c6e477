import type { Connection } from "./connection.ts";
import { followStream } from "./event-follower.ts";
import { pathOf } from "./paths.ts";
import type { FollowedHostEvent, GapEvent, HostEvent, MigrationEvent } from "./types.ts";

export interface FollowMigrationOptions {
  /** Cancels the migration when this program lets go of it before its end, or loses the connection. */
  abortOnDisconnect?: boolean;
  /** How long a daemon that was lost is waited for, 15 s unless told otherwise. */
  patienceMs?: number;
}

export interface FollowHostOptions {
  /** Only events of these guests. */
  guests?: readonly string[];
  /** Only events of these types. */
  types?: readonly MigrationEvent["type"][];
  /** Id of the last event that is known already; without it the stream begins now. */
  afterId?: string;
  patienceMs?: number;
}

/** What happens to migrations. Lost connections and restarts of the daemon are bridged. */
export interface EventClient {
  /**
   * Past events first, then live ones, to the report or the error that it ends with; less when `signal` fires. A gap
   * says that the daemon does not know all of them.
   */
  migrationEvents(
    id: string,
    signal: AbortSignal,
    options?: FollowMigrationOptions,
  ): AsyncGenerator<MigrationEvent | GapEvent>;
  /** Events of all migrations of the daemon's host, until `signal` fires; keep the last `id` to go on after it. */
  hostEvents(signal: AbortSignal, options?: FollowHostOptions): AsyncGenerator<FollowedHostEvent>;
}

export function eventClient(connection: Connection): EventClient {
  return {
    async *migrationEvents(id, signal, { abortOnDisconnect, patienceMs } = {}) {
      const path = pathOf(["v1", "migrations", id, "events"], {
        abort_on_disconnect: abortOnDisconnect || undefined,
      });
      const what = `migration ${id}`;
      const hint = `once it runs again: sojourn watch ${id}`;
      const stream = { path, what, hint, signal, patienceMs };
      for await (const { data } of followStream(connection, stream)) {
        const event = data as MigrationEvent | GapEvent;
        yield event;
        if (event.type === "report" || event.type === "error") return;
      }
    },
    async *hostEvents(signal, { guests, types, afterId, patienceMs } = {}) {
      const path = pathOf(["v1", "events"], { guest: guests, type: types });
      const what = `what happens at ${connection.name}`;
      const hint = "once it runs again: follow it again after the last event's id";
      const stream = { path, what, hint, signal, afterId, patienceMs };
      for await (const { id, data } of followStream(connection, stream)) {
        yield { id, event: data as HostEvent | GapEvent };
      }
    },
  };
}
