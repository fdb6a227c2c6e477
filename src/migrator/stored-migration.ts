import { type ErrorRecord, ExitCode } from "../platform/errors.ts";
import type { ThroughputTimeline } from "../probe/throughput-timeline.ts";
import type { GateEvent, PhaseEvent, ProgressEvent } from "./events.ts";
import { isPhase, type Phase } from "./phases.ts";
import type { MigrationReport } from "./report.ts";

/** What a follower of a migration sees; the report or an error record is the last. */
export type StreamEvent = PhaseEvent | ProgressEvent | GateEvent | MigrationReport | ErrorRecord;

/** A migration as `status` lists it. */
export interface MigrationSummary {
  id: string;
  guest: string;
  from: string;
  to: string;
  state: Phase;
  /** Wall clock, milliseconds since 1970. */
  startedMs: number;
  endedMs: number | null;
}

/** Is told of every event of every migration, but of none while its guest stands. Must be quick and never throw. */
export type MigrationObserver = (migration: MigrationSummary, event: StreamEvent) => void;

/** Everything that is remembered of a migration. */
export interface StoredMigration extends MigrationSummary {
  report: MigrationReport | null;
  error: ErrorRecord | null;
  /** What a stream got around the move; absent until a prober has told. */
  throughput?: ThroughputTimeline | null;
  /** The caller's name for the request that began it, and that request; null when it had none. */
  idempotency?: Idempotency | null;
}

/** A request that its caller may repeat without a second effect (draft-ietf-httpapi-idempotency-key-header). */
export interface Idempotency {
  key: string;
  /** The request in a form that is the same for the same request. */
  request: string;
}

/** What a caller says about a migration beyond its task. */
export interface StartOptions {
  /** Longest outage that is within budget. */
  budgetMs: number | null;
  idempotency: Idempotency | null;
}

/** True for one that has not ended, or of which only the other side knows how. */
export function isOpen({ endedMs, state }: MigrationSummary): boolean {
  return endedMs === null || state === "in-doubt";
}

/** How a migration ended that ends with an error, by that error's exit code. */
const endings: ReadonlyMap<number, Phase> = new Map([
  [ExitCode.rolledBack, "rolled-back"],
  [ExitCode.inDoubt, "in-doubt"],
  [ExitCode.cancelled, "cancelled"],
  [ExitCode.guestLost, "guest-lost"],
]);

/** What an event says that is remembered. */
export function noteOf(event: StreamEvent): Partial<StoredMigration> {
  if (event.type === "report") return { report: event, state: event.outcome };
  if (event.type === "error") {
    const state = endings.get(event.exit_code);
    return { error: event, ...(state === undefined ? {} : { state }) };
  }
  return event.type === "phase" && isPhase(event.phase) ? { state: event.phase } : {};
}
