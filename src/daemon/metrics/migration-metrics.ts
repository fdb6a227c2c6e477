import type { ProgressEvent } from "../../migrator/events.ts";
import { type MigrationReport, outcomes } from "../../migrator/report.ts";
import { noteOf } from "../../migrator/stored-migration.ts";
import { isEnd } from "../event-history.ts";
import type { EndEvent, MigrationEvent, MigrationStatus } from "../services.ts";
import { memoryBuckets, migrationBuckets, phaseBuckets, standstillBuckets } from "./buckets.ts";
import type { Instruments } from "./instruments.ts";
import { type PhaseTimes, PhaseTracker } from "./phase-tracker.ts";
import { RecentIds } from "./recent-ids.ts";

/** Figures of the migrations that leave this host. One that another host carries out is counted there. */
export class MigrationMetrics {
  readonly #host: string;
  readonly #phases = new PhaseTracker();
  readonly #ended = new RecentIds();
  readonly #sentBytes = new Map<string, number>();
  readonly #instruments;

  /** @param peers the hosts that a guest may go to: their series begin at 0. */
  constructor(instruments: Instruments, host: string, peers: Iterable<string>) {
    this.#host = host;
    this.#instruments = {
      migrations: instruments.counter(
        "sojourn_migrations_total",
        "Migrations that left this host and ended, by outcome and destination. One that was in doubt counts again once it is decided.",
        ["outcome", "to"],
      ),
      failures: instruments.counter(
        "sojourn_migration_failures_total",
        "Migrations that did not complete, by error code.",
        ["code"],
      ),
      blackout: instruments.histogram(
        "sojourn_migration_blackout_seconds",
        "Time that the guest of a completed migration was stopped: source STOP to destination RESUME.",
        standstillBuckets,
      ),
      duration: instruments.histogram(
        "sojourn_migration_duration_seconds",
        "Time from a migration's start to its end, by outcome.",
        migrationBuckets,
        ["outcome"],
      ),
      phase: instruments.histogram(
        "sojourn_migration_phase_duration_seconds",
        "Time that migrations spent in each phase.",
        phaseBuckets,
        ["phase"],
      ),
      transferred: instruments.histogram(
        "sojourn_migration_transferred_bytes",
        "Bytes that the hypervisor sent for a completed migration.",
        memoryBuckets,
      ),
      sent: instruments.counter(
        "sojourn_migration_sent_bytes_total",
        "Bytes that the hypervisor has sent, counted while migrations are under way.",
      ),
      retries: instruments.counter(
        "sojourn_migration_retries_total",
        "Times that a migration went back to precopy because the hypervisor stopped the guest too early.",
      ),
      dropped: instruments.counter(
        "sojourn_migration_dropped_packets_total",
        "Packets for guests that found no room in the queue at the destination.",
      ),
    };
    for (const to of peers) {
      for (const outcome of outcomes) this.#instruments.migrations.inc({ outcome, to }, 0);
    }
  }

  /** Takes an event of any migration of this host; quick, never throws. */
  note(migration: MigrationStatus, event: MigrationEvent): void {
    if (migration.from !== this.#host) return;
    if (event.type === "phase") this.#phases.note(event);
    else if (event.type === "progress") this.#progress(event);
    else if (isEnd(event)) this.#end(migration, event);
  }

  #progress({ id, transferred_bytes: bytes }: ProgressEvent): void {
    const known = this.#sentBytes.get(id) ?? 0;
    // A stream that was begun again counts from 0.
    this.#instruments.sent.inc(bytes >= known ? bytes - known : bytes);
    this.#sentBytes.set(id, bytes);
  }

  #end({ id, to, state }: MigrationStatus, event: EndEvent): void {
    const times = this.#phases.end(id);
    const known = this.#sentBytes.get(id) ?? 0;
    this.#sentBytes.delete(id);
    const outcome = noteOf(event).state ?? state;
    if (outcome !== "in-doubt" && !this.#ended.note(id)) return;
    this.#instruments.migrations.inc({ outcome, to });
    if (event.type === "error") this.#instruments.failures.inc({ code: event.code });
    else this.#completed(event, known);
    this.#times(outcome, times, event.type === "report" ? event.total_ms : times.totalMs);
  }

  #completed(report: MigrationReport, countedBytes: number): void {
    const { blackout_ms, transferred_bytes, packets_dropped } = report;
    if (blackout_ms !== null) this.#instruments.blackout.observe(blackout_ms / 1000);
    if (transferred_bytes !== null) {
      this.#instruments.transferred.observe(transferred_bytes);
      this.#instruments.sent.inc(Math.max(0, transferred_bytes - countedBytes));
    }
    if (packets_dropped !== null) this.#instruments.dropped.inc(packets_dropped);
  }

  #times(outcome: string, { durations, retries }: PhaseTimes, totalMs: number): void {
    this.#instruments.duration.observe({ outcome }, totalMs / 1000);
    for (const [phase, durationMs] of durations) {
      this.#instruments.phase.observe({ phase }, Math.max(0, durationMs) / 1000);
    }
    this.#instruments.retries.inc(retries);
  }
}
