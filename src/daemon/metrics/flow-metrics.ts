import type { FlowsReport, MigrationReport } from "../../migrator/report.ts";
import { phaseBuckets } from "./buckets.ts";
import type { Instruments } from "./instruments.ts";
import { RecentIds } from "./recent-ids.ts";

/** What became of guests' flows across migrations that left this host, once for each migration. */
export class FlowMetrics {
  readonly #counted = new RecentIds();
  readonly #instruments;

  constructor(instruments: Instruments) {
    this.#instruments = {
      established: instruments.counter(
        "sojourn_migration_established_flows_total",
        "Flows that were established when the guest of a completed migration was stopped: those that its source tracked, or a prober's sessions.",
      ),
      survived: instruments.counter(
        "sojourn_migration_survived_flows_total",
        "Established flows that went on after the switchover.",
      ),
      carried: instruments.counter(
        "sojourn_migration_carried_flows_total",
        "Flows that the destination of a completed migration tracked before the guest's packets came.",
      ),
      refused: instruments.counter(
        "sojourn_migration_refused_flows_total",
        "Flows that the destination's kernel did not take over, by its reason.",
        ["reason"],
      ),
      carry: instruments.histogram(
        "sojourn_migration_flows_carry_seconds",
        "Time that reading a guest's flows, sending and installing them took while the guest ran: all of them, and the difference just before its stop.",
        phaseBuckets,
        ["part"],
      ),
    };
  }

  /** Takes a completed migration's report, also once a prober's results were put into it: the first with flows counts. */
  note({ id, outcome, flows }: Pick<MigrationReport, "id" | "outcome" | "flows">): void {
    if (outcome !== "completed" || flows === null || !this.#counted.note(id)) return;
    this.#instruments.established.inc(flows.established);
    if (flows.survived !== null) this.#instruments.survived.inc(flows.survived);
    this.#carried(flows);
  }

  #carried({ carried, refused = {}, carry_ms, difference_ms }: FlowsReport): void {
    if (carried !== undefined) this.#instruments.carried.inc(carried);
    for (const [reason, count] of Object.entries(refused)) {
      this.#instruments.refused.inc({ reason }, count);
    }
    const { carry } = this.#instruments;
    if (carry_ms !== undefined) carry.observe({ part: "all" }, carry_ms / 1000);
    if (difference_ms !== undefined) carry.observe({ part: "difference" }, difference_ms / 1000);
  }
}
