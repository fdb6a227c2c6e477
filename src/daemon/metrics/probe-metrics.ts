import type { MigrationReport } from "../../migrator/report.ts";
import type { ProbeResults } from "../../probe/results.ts";
import { standstillBuckets } from "./buckets.ts";
import type { Instruments } from "./instruments.ts";
import { RecentIds } from "./recent-ids.ts";

const kinds = ["tcp_echo", "tcp_stream", "tcp_upload", "http", "packet"] as const;

/** What probers have measured from outside, once for each migration. */
export class ProbeMetrics {
  readonly #measured = new RecentIds();
  readonly #instruments;

  constructor(instruments: Instruments) {
    this.#instruments = {
      outage: instruments.histogram(
        "sojourn_migration_outage_seconds",
        "Longest hole that a prober saw in a session across a migration, by kind of probe.",
        standstillBuckets,
        ["probe"],
      ),
      sessions: instruments.counter(
        "sojourn_migration_probe_sessions_total",
        "Sessions that probers held open across migrations, by kind of probe.",
        ["probe"],
      ),
      broken: instruments.counter(
        "sojourn_migration_probe_broken_sessions_total",
        "Sessions of probers that a migration broke, by kind of probe.",
        ["probe"],
      ),
      lost: instruments.counter(
        "sojourn_migration_probe_lost_packets_total",
        "Echo requests of packet probes that were never answered.",
      ),
      overBudget: instruments.counter(
        "sojourn_migrations_over_budget_total",
        "Migrations whose measured outage was longer than the budget that was asked for.",
      ),
    };
    for (const probe of kinds) this.#instruments.broken.inc({ probe }, 0);
  }

  /** Takes a report into which a prober's results were put. Of the same migration only the first counts. */
  note({ id, probes, within_budget }: MigrationReport): void {
    if (!this.#measured.note(id)) return;
    for (const probe of kinds) this.#probe(probe, probes);
    if (within_budget === false) this.#instruments.overBudget.inc();
  }

  #probe(probe: (typeof kinds)[number], results: ProbeResults): void {
    const result = results[probe];
    if (result === undefined) return;
    if (result.outage_ms !== null) {
      this.#instruments.outage.observe({ probe }, result.outage_ms / 1000);
    }
    if ("sessions" in result) {
      this.#instruments.sessions.inc({ probe }, result.sessions);
      this.#instruments.broken.inc({ probe }, result.broken);
    }
    if ("lost" in result) this.#instruments.lost.inc(result.lost);
  }
}
