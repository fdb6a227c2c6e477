import { ExitCode, type GuestState, preconditionError, SojournError } from "../platform/errors.ts";
import { failedPhase } from "./failure-phases.ts";
import { deniedByGate } from "./gates.ts";
import type { Failure } from "./migration-state.ts";
import type { Phase } from "./phases.ts";
import type { Outcome } from "./report.ts";

/** The error a user is shown for a migration that did not complete: what happened, where the guest is, what to do. */
export function endingError(
  outcome: Outcome,
  failure: Failure,
  task: { id: string; guest: string; to: string },
): SojournError {
  const { exitCode, guestState, sentence } = endings[outcome];
  const phase = failedPhase(failure.step);
  const when = phase === null ? "" : `phase ${phase}: `;
  return new SojournError(
    failure.code as `SOJ_${string}`,
    `${task.guest} was not moved to ${task.to}: ${when}${failure.message}. ${sentence}`,
    {
      exitCode,
      guestState,
      migration: task.id,
      httpStatus: 409,
      retryable: outcome === "rolled-back" && failure.code !== deniedByGate,
      hint: failure.hint ?? hintFor(outcome, task.id),
    },
  );
}

/** The refusal of a cancellation that comes after the promise or the end. */
export function tooLate({ id, state }: { id: string; state: Phase }): SojournError {
  return preconditionError("SOJ_TOO_LATE", `migration ${id} can no longer be cancelled: ${state}`, {
    migration: id,
    hint: `sojourn watch ${id}`,
  });
}

const endings: Record<Outcome, { exitCode: ExitCode; guestState: GuestState; sentence: string }> = {
  completed: {
    exitCode: ExitCode.done,
    guestState: "running-at-destination",
    sentence: "The guest runs at the destination, but cleaning up at the source did not finish",
  },
  "rolled-back": {
    exitCode: ExitCode.rolledBack,
    guestState: "running-at-source",
    sentence: "The guest runs at the source and what was prepared is removed",
  },
  cancelled: {
    exitCode: ExitCode.cancelled,
    guestState: "running-at-source",
    sentence: "The guest runs at the source and what was prepared is removed",
  },
  "in-doubt": {
    exitCode: ExitCode.inDoubt,
    guestState: "unknown",
    sentence:
      "The source keeps the guest stopped, because the destination may run it and does not answer",
  },
  "guest-lost": {
    exitCode: ExitCode.guestLost,
    guestState: "lost",
    sentence: "What was prepared is removed",
  },
};

function hintFor(outcome: Outcome, id: string): string {
  return outcome === "in-doubt"
    ? `bring the destination back: it is asked again until it answers; or fence it and use sojourn resolve ${id}`
    : `sojourn report ${id}`;
}
