import { startTimer, wallClockMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import type { GateNote, GatePoint } from "./gates.ts";
import { interruptible } from "./interruptible.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";
import { timeLeftMs } from "./source-precopy.ts";
import { round } from "./timeline.ts";

/** Whether somebody has to be asked here; once all have allowed it at a point, nobody is asked there again. */
export function mustAsk(
  { gates }: Pick<SourceContext, "gates">,
  task: Pick<MigrationTask, "guest">,
  { passedGates }: Pick<MigrationFacts, "passedGates">,
  point: GatePoint,
): boolean {
  return !passedGates.has(point) && gates.concerns(point, task.guest);
}

/**
 * Waits until all gates of this point allow the migration, within its time limit, which counts from its start then.
 * @throws DeniedByGate; SojournError `SOJ_TIME_LIMIT`; the signal's reason, at once.
 */
export async function askGates(
  context: Pick<SourceContext, "gates" | "host" | "logger">,
  task: MigrationTask,
  facts: MigrationFacts,
  point: GatePoint,
  signal: AbortSignal,
): Promise<void> {
  if (!mustAsk(context, task, facts, point)) return;
  const question = {
    point,
    migration: task.id,
    guest: task.guest,
    from: context.host.name,
    to: task.to,
    tunnel: task.tunnelKind,
    predictedBlackoutMs: facts.predictedBlackoutMs,
  };
  const late = new AbortController();
  const limit = startTimer(() => late.abort(timeLimit(task, point)), timeLeftMs(task, facts));
  const either = AbortSignal.any([signal, late.signal]);
  try {
    const tell = (note: GateNote) => {
      if (!either.aborted) noteGate(context, task, facts, point, note);
    };
    await interruptible(context.gates.ask(question, either, tell), either);
  } finally {
    limit.cancel();
  }
  facts.passedGates.add(point);
}

/** Tells whoever follows the migration; a decision is part of its report, too. */
function noteGate(
  context: Pick<SourceContext, "host" | "logger">,
  task: Pick<MigrationTask, "id">,
  facts: Pick<MigrationFacts, "timeline" | "gates" | "onGate">,
  point: GatePoint,
  { gate, decision, answered, reason, waitedMs }: GateNote,
): void {
  const isFinal = decision === "allow" || decision === "deny";
  const at_ms = isFinal
    ? facts.timeline.note("gate", context.host.name)
    : round(facts.timeline.elapsedMs());
  const heard = { gate, point, answered, reason, waited_ms: round(waitedMs), at_ms };
  if (isFinal) facts.gates.push({ ...heard, decision });
  const level = isFinal && !answered ? "warn" : "info";
  context.logger[level]({ migration: task.id, ...heard, decision }, "gate");
  facts.onGate({ type: "gate", id: task.id, ...heard, decision, wall_clock_ms: wallClockMs() });
}

function timeLimit(task: MigrationTask, point: GatePoint): SojournError {
  const seconds = task.deadlineMs / 1000;
  return new SojournError(
    "SOJ_TIME_LIMIT",
    `the migration's ${seconds} s were over while gates were asked at ${point}`,
    { retryable: true, hint: "raise --timeout, or lower the gates' deadline_ms" },
  );
}
