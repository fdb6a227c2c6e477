import type { SojournClient } from "../../client/index.ts";
import type { FollowOptions } from "../../daemon/services.ts";
import type { MigrationReport } from "../../migrator/report.ts";
import { monotonicMs } from "../../platform/clock.ts";
import { errorFromJson } from "../../platform/error-record.ts";
import { SojournError } from "../../platform/errors.ts";
import { EventClock } from "./event-clock.ts";
import type { MigrationView } from "./view.ts";

export interface Followed {
  report: MigrationReport;
  clock: EventClock;
}

/**
 * Shows a migration's events until its report comes; null when `signal` fired first.
 * @throws SojournError what the daemon reports instead, or `SOJ_DAEMON_UNREACHABLE`.
 */
export async function followMigration(
  client: SojournClient,
  id: string,
  view: MigrationView,
  signal: AbortSignal,
  options: FollowOptions = {},
): Promise<Followed | null> {
  const clock = new EventClock();
  try {
    for await (const event of client.migrationEvents(id, signal, options)) {
      if (event.type === "report") return { report: event, clock };
      if (event.type === "error") throw errorFromJson(event, 500) ?? notAnError(id);
      if (event.type === "phase") clock.see(event.phase, event.at_ms, monotonicMs());
      view.show(event);
    }
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  } finally {
    view.close();
  }
  return null;
}

function notAnError(id: string): SojournError {
  return new SojournError("SOJ_DAEMON_PROTOCOL", `how migration ${id} ended is not understood`, {
    hint: "restart the daemon if it is older than this command",
  });
}
