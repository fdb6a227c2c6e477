import { firstAddress } from "../hypervisor/nic-addresses.ts";
import type { MigrationReport } from "./report.ts";
import type { MigrationFacts, MigrationTask } from "./source-context.ts";
import { round } from "./timeline.ts";

/** What is known about a migration that has ended; probes are added later. */
export function reportOf(
  host: string,
  task: MigrationTask,
  facts: MigrationFacts,
  outcome: MigrationReport["outcome"],
  budgetMs: number | null,
  resolved: MigrationReport["resolved"] | null = null,
): MigrationReport {
  const { stoppedMs, resumedMs, timeline, clockOffset, throttledPercent } = facts;
  const { policy } = task.options;
  const { name: strategy } = task.strategy;
  const completed = outcome === "completed";
  return {
    type: "report",
    id: task.id,
    guest: task.guest,
    from: host,
    to: task.to,
    outcome,
    ...(resolved === null || resolved === undefined ? {} : { resolved }),
    ...(strategy === "lossless" ? {} : { strategy }),
    ...(policy === "balanced" ? {} : { policy }),
    ...(throttledPercent === null ? {} : { throttled_percent: throttledPercent }),
    tunnel: facts.tunnel,
    timeline: timeline.sorted(),
    ...(facts.gates.length === 0 ? {} : { gates: facts.gates }),
    blackout_ms:
      completed && stoppedMs !== null && resumedMs !== null ? round(resumedMs - stoppedMs) : null,
    total_ms: round(timeline.elapsedMs()),
    transferred_bytes: facts.finalProgress?.transferredBytes ?? null,
    ...(facts.postCopy === null
      ? {}
      : {
          post_copy: {
            duration_ms: round(facts.postCopy.durationMs),
            recovered: facts.postCopy.recovered,
          },
        }),
    clock_offset_ms: clockOffset === null ? null : round(clockOffset.offsetMs),
    clock_error_ms: clockOffset === null ? null : round(clockOffset.errorMs),
    packets_dropped: facts.packetsDropped,
    probes: {},
    guest_clock_step_ms: null,
    flows: completed ? (facts.flows?.report ?? null) : null,
    ...(completed ? renumberedOf(task, facts) : {}),
    budget_ms: budgetMs,
    within_budget: null,
  };
}

function renumberedOf({ renumber }: MigrationTask, { before, renumbered }: MigrationFacts) {
  // One that an earlier daemon has begun: its task names what was given.
  const to = renumbered ?? renumber?.address;
  const from = firstAddress(before.definition);
  return to === undefined || from === undefined ? {} : { renumbered: { from, to } };
}
