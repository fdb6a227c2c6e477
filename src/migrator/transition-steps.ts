import type { Effect, Failure, MigrationState } from "./migration-state.ts";
import type { Outcome } from "./report.ts";

/** What an event leads to. */
export interface Transition {
  state: MigrationState;
  effects: readonly Effect[];
}

/** The reason shown when somebody asked for the cancellation. */
export const cancelledByUser: Failure = {
  step: "cancel",
  code: "SOJ_CANCELLED",
  message: "the migration was cancelled on request",
  hint: null,
};

/** Back to the source, before anything is promised or once nobody else can run the guest. */
export function rollBack(
  ending: "rolled-back" | "cancelled" | "guest-lost",
  failure: Failure,
): Transition {
  return {
    state: { name: "rolling-back", ending, failure },
    effects: ["undo-at-source", "undo-at-destination", "record-undone"],
  };
}

/** Nothing is left to do. */
export function end(outcome: Outcome, failure: Failure | null): Transition {
  return { state: { name: "ended", outcome, failure }, effects: [] };
}

/** The event means nothing here. */
export function stay(state: MigrationState): Transition {
  return { state, effects: [] };
}
