import type { DrainTeller } from "../migrator/drain-context.ts";
import type { Migrations } from "../migrator/migrations.ts";
import { addressOf } from "../migrator/open-redirect.ts";
import type { GuestRecord } from "../migrator/records.ts";
import type { DrainReport, MigrationReport } from "../migrator/report.ts";
import { round } from "../migrator/timeline.ts";
import type { EventFeed } from "./event-feed.ts";
import { statusOf } from "./migration-status.ts";

interface TellerOptions {
  hostName: string;
  feed: Pick<EventFeed, "publish">;
  migrations: Pick<Migrations, "get" | "has" | "isRunning" | "list" | "putReport">;
}

/**
 * Tells of redirects that drain and are retired: the migration's report, and events after it. An event that a crash makes
 * be told again is the same to the letter, so that hooks recognise it.
 */
export function drainTeller({ hostName, feed, migrations }: TellerOptions): DrainTeller {
  const tell = (id: string, phase: "draining" | "retired", atMs: number, drain: DrainReport) => {
    const stored = migrations.get(id);
    feed.publish({
      migration: statusOf(stored),
      event: {
        ...{ type: "phase", id, phase, host: hostName, at_ms: round(atMs - stored.startedMs) },
        ...{ wall_clock_ms: atMs, drain },
      },
    });
    if (stored.report !== null) migrations.putReport(id, { ...stored.report, drain });
  };
  return {
    draining({ redirect: { drain } }) {
      if (drain === undefined || !migrations.has(drain.migration)) return true;
      const { migration: id, begunMs } = drain;
      if (migrations.isRunning(id)) return false;
      if (migrations.get(id).report?.drain === undefined) tell(id, "draining", begunMs, begun);
      return true;
    },
    retired(record) {
      const { departed, guest } = record;
      const { host: to, reason, atMs } = departed;
      const [latest] = migrations.list({ limit: 1, guest, to, states: ["completed"] });
      const id = departed.migration ?? latest?.id;
      if (id === undefined || !migrations.has(id)) return;
      const freed = addressOf(record);
      tell(id, "retired", atMs, { state: "retired", reason, retired_ms: atMs, freed });
    },
  };
}

const begun: DrainReport = { state: "draining", reason: null, retired_ms: null, freed: null };

/** A report as of now: a redirect drains no more when its guest has come home or ended. Pure. */
export function withDrainOfNow(
  report: MigrationReport,
  record: GuestRecord | undefined,
): MigrationReport {
  const { drain, id } = report;
  if (drain?.state !== "draining") return report;
  const isOpen = record?.redirect?.drain?.migration === id || record?.departed?.migration === id;
  return isOpen ? report : { ...report, drain: { ...drain, state: "ended" } };
}
