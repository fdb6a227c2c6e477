import type { Guests } from "../migrator/guests.ts";
import type { Journal } from "../migrator/journal.ts";
import type { Migrations } from "../migrator/migrations.ts";
import type { RecordStore } from "../migrator/record-store.ts";
import type { MigrationReport } from "../migrator/report.ts";
import { RunStates } from "../migrator/run-states.ts";
import { StandingGuests } from "../migrator/standing-guests.ts";
import type { PeerCaller } from "../platform/procedures.ts";
import type { EventFeed } from "./event-feed.ts";
import { isAfterEnd } from "./event-history.ts";
import type { DaemonMetrics } from "./metrics/daemon-metrics.ts";
import { PeerMonitor } from "./peer-monitor.ts";
import type { PeerRoles } from "./peer-roles.ts";
import type { baseProcedures } from "./procedures.ts";
import type { TraceParent } from "./tracing/trace-parent.ts";
import { Tracing } from "./tracing/tracing.ts";

export interface Observed {
  hostName: string;
  metrics: DaemonMetrics;
  guests: Guests;
  records: RecordStore;
  journal: Journal;
  migrations: Migrations;
  feed: EventFeed;
  peers: readonly PeerCaller<typeof baseProcedures>[];
  roles: Pick<PeerRoles, "remember">;
  /** Whether a guest stands to leave this host, or is expected here. */
  isGuestStanding: () => boolean;
}

/** What observes a daemon: it ends when disposed. */
export interface Observation extends Disposable {
  /** Makes a migration that has just begun a part of its caller's trace, if there is one. */
  continueTrace(id: string, parent: TraceParent | undefined): void;
  /** A prober's results were put into a report. */
  noteMeasured(report: MigrationReport): void;
}

/** Lets metrics and tracing see what happens on a host. Called before anything is recovered, so that nothing is missed. */
export function observe(observed: Observed): Observation {
  const { hostName, metrics, guests, records, journal, migrations, feed, peers, roles } = observed;
  const { isGuestStanding } = observed;
  using stack = new DisposableStack();
  const tracing = new Tracing(hostName);
  const runStates = new RunStates();
  guests.onAdopted = (instance) => runStates.follow(instance);
  stack.use(records.subscribe((before, after) => metrics.drains.noteChange(before, after)));
  metrics.guests.know({
    ...{ records, runStates, journal, migrations },
    standing: new StandingGuests({ records, journal, runStates }),
  });
  metrics.isGuestStanding = isGuestStanding;
  stack.use(
    feed.subscribe(({ migration, event }) => {
      if (isAfterEnd(event)) return;
      metrics.note(migration, event);
      tracing.note(migration, event);
    }),
  );
  stack.use(
    new PeerMonitor({ host: hostName, peers, isGuestStanding, roles, observer: metrics.peers }),
  );
  const owned = stack.move();
  return {
    continueTrace: (id, parent) => {
      if (parent !== undefined) tracing.continueTrace(id, parent);
    },
    noteMeasured: (report) => metrics.noteMeasured(report),
    [Symbol.dispose]: () => owned[Symbol.dispose](),
  };
}
