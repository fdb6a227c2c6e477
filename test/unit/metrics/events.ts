import type { MigrationEvent, MigrationStatus } from "../../../src/daemon/services.ts";
import type { PhaseEvent } from "../../../src/migrator/events.ts";
import type { MigrationReport } from "../../../src/migrator/report.ts";
import type { ErrorRecord } from "../../../src/platform/errors.ts";
import { reportWith } from "../../support/fake-services.ts";

/** What the feed tells, event by event. */
export type Told = { migration: MigrationStatus; event: MigrationEvent };

const wallMs = 1_700_000_000_000;

type Step = readonly [PhaseEvent["phase"], number];

const begun: Step[] = [
  ["preparing", 1],
  ["prepared", 101],
  ["precopy", 102],
  ["armed", 602],
  ["stop", 650],
];

const handedOver: Step[] = [
  ["pre-switchover", 655],
  ["promise", 656],
  ["switchover", 656],
  ["route-change", 657],
  ["continue", 658],
];

/** A migration from host-a to host-b that takes 800 ms, with a blackout of 25 ms. */
export function completedMigration(id: string, change: Partial<MigrationReport> = {}): Told[] {
  const steps: Step[] = [
    ...begun,
    ...handedOver,
    ["resumed", 680],
    ["verifying", 680],
    // The destination's own instants are told late.
    ["takeover", 670],
    ["resume", 675],
    ["completed", 800],
  ];
  const report = reportWith({ id, blackout_ms: 25, total_ms: 800, ...change });
  return [...told(id, steps, "completed"), last(id, "completed", report)];
}

/** One that the hypervisor interrupted once, and that was taken back. */
export function rolledBackMigration(id: string): Told[] {
  const steps: Step[] = [...begun, ["precopy", 700], ["rolling-back", 900], ["rolled-back", 950]];
  const error = errorOf(id, { code: "SOJ_FROZEN_DEADLINE", exit_code: 4 });
  return [...told(id, steps, "rolled-back"), last(id, "rolled-back", error)];
}

export function inDoubtMigration(id: string): Told[] {
  const steps: Step[] = [...begun, ...handedOver, ["in-doubt", 16_000]];
  const error = errorOf(id, { code: "SOJ_PEER_UNREACHABLE", exit_code: 5 });
  return [...told(id, steps, "in-doubt"), last(id, "in-doubt", error)];
}

export function progressOf(id: string, transferred_bytes: number): Told {
  const event = {
    ...{ type: "progress" as const, id, transferred_bytes, remaining_bytes: 1, total_bytes: 2 },
    ...{ bandwidth_mbps: 1, dirty_mbps: null, dirty_syncs: 1, predicted_blackout_ms: null },
  };
  return { migration: statusOf(id, "precopy"), event };
}

function told(id: string, steps: readonly Step[], end: MigrationStatus["state"]): Told[] {
  return steps.map(([phase, at_ms]) => ({
    migration: statusOf(id, phase === end ? end : "precopy"),
    event: { type: "phase", id, phase, at_ms, host: "host-a", wall_clock_ms: wallMs + at_ms },
  }));
}

function last(id: string, state: MigrationStatus["state"], event: MigrationEvent): Told {
  return { migration: statusOf(id, state), event };
}

function statusOf(id: string, state: MigrationStatus["state"]): MigrationStatus {
  const ended_ms = ["precopy"].includes(state) ? null : wallMs + 1_000;
  return { id, guest: "web1", from: "host-a", to: "host-b", state, started_ms: wallMs, ended_ms };
}

function errorOf(id: string, change: Partial<ErrorRecord>): ErrorRecord {
  return {
    ...{ type: "error" as const, code: "SOJ_INTERNAL", message: "it did not work", hint: null },
    ...{ guest_state: "unknown" as const, exit_code: 1, retryable: false, id },
    ...change,
  };
}
