import type { Effect, Failure, MigrationEvent, MigrationState } from "./migration-state.ts";
import type { Outcome } from "./report.ts";

export interface Transition {
  state: MigrationState;
  effects: readonly Effect[];
}

/** True when nothing follows any more. */
export function isEnded(
  state: MigrationState,
): state is Extract<MigrationState, { name: "ended" }> {
  return state.name === "ended";
}

/** True once only the destination, or its written abort, may decide. */
export function isPromised(state: MigrationState): boolean {
  return state.name === "switchover" || state.name === "settling" || state.name === "verifying";
}

/**
 * The next state and what to do on entering it. An event that means nothing in a state (a late cancel, a
 * duplicate) leaves the state as it is, with no effects.
 */
export function transition(state: MigrationState, event: MigrationEvent): Transition {
  switch (state.name) {
    case "planned":
      return fromPlanned(state, event);
    case "preparing":
    case "prepared":
    case "precopy":
    case "armed":
      return beforePromise(state, event);
    case "switchover":
      return fromSwitchover(state, event);
    case "settling":
      return fromSettling(state, event);
    case "verifying":
      return fromVerifying(state, event);
    case "rolling-back":
      return fromRollingBack(state, event);
    case "ended":
      return stay(state);
  }
}

function fromPlanned(state: MigrationState, event: MigrationEvent): Transition {
  switch (event.type) {
    case "started":
      return {
        state: { name: "preparing" },
        effects: ["record-begin", "prepare-destination", "prepare-source", "pass-barrier"],
      };
    case "cancel-requested":
      return end("cancelled", cancelledByUser);
    case "failed":
      return end("rolled-back", event.failure);
    case "guest-gone":
      return end("guest-lost", event.failure);
    case "prepared":
    case "precopy-started":
    case "converging":
    case "stopped-by-hypervisor":
    case "pre-switchover":
    case "not-promised":
    case "destination-resumed":
    case "retired":
    case "rolled-back":
    case "destination-aborted":
    case "destination-unreachable":
    case "kept-at-source":
    case "kept-at-destination":
      return stay(state);
  }
}

function beforePromise(
  state: Extract<MigrationState, { name: "preparing" | "prepared" | "precopy" | "armed" }>,
  event: MigrationEvent,
): Transition {
  switch (event.type) {
    case "prepared":
      return state.name === "preparing"
        ? { state: { name: "prepared" }, effects: ["start-precopy"] }
        : stay(state);
    case "precopy-started":
      return state.name === "prepared"
        ? { state: { name: "precopy" }, effects: ["await-convergence"] }
        : stay(state);
    case "converging":
      return state.name === "precopy"
        ? {
            state: { name: "armed" },
            effects: ["arm-copy", "record-pausing", "stop-guest", "await-pre-switchover"],
          }
        : stay(state);
    // QEMU found nothing left to send and stopped the guest itself: it would also resume it by itself, so
    // this attempt is given up before the promise and the stream starts again.
    case "stopped-by-hypervisor":
      return state.name === "precopy" || state.name === "armed"
        ? { state: { name: "prepared" }, effects: ["renew-destination", "start-precopy"] }
        : stay(state);
    case "pre-switchover":
      return state.name === "armed"
        ? {
            state: { name: "switchover" },
            effects: ["record-promise", "change-route", "continue-migration", "await-takeover"],
          }
        : stay(state);
    case "failed":
    case "destination-aborted":
    case "destination-unreachable":
      return rollBack("rolled-back", event.failure);
    case "cancel-requested":
      return rollBack("cancelled", cancelledByUser);
    case "guest-gone":
      return rollBack("guest-lost", event.failure);
    case "started":
    case "not-promised":
    case "destination-resumed":
    case "retired":
    case "rolled-back":
    case "kept-at-source":
    case "kept-at-destination":
      return stay(state);
  }
}

function fromSwitchover(state: MigrationState, event: MigrationEvent): Transition {
  switch (event.type) {
    case "destination-resumed":
      return verify;
    case "failed":
    case "guest-gone":
    case "destination-unreachable":
      return {
        state: { name: "settling", failure: event.failure },
        effects: ["settle-with-destination"],
      };
    case "destination-aborted":
      return takeBack(event.failure);
    // The promise could not be given, and nothing of the switchover was begun.
    case "not-promised":
      return rollBack("rolled-back", event.failure);
    // After an operator's decision the destination is not asked: it is told when it is heard from again.
    case "kept-at-source":
      return {
        state: { name: "rolling-back", ending: "rolled-back", failure: event.failure },
        effects: ["undo-at-source", "record-undone"],
      };
    case "kept-at-destination":
      return {
        state: { name: "verifying" },
        effects: ["yield-to-destination", "record-completed"],
      };
    case "started":
    case "prepared":
    case "precopy-started":
    case "converging":
    case "stopped-by-hypervisor":
    case "pre-switchover":
    case "retired":
    case "rolled-back":
    case "cancel-requested":
      return stay(state);
  }
}

function fromSettling(state: MigrationState, event: MigrationEvent): Transition {
  switch (event.type) {
    case "destination-resumed":
      return verify;
    case "destination-aborted":
      return takeBack(event.failure);
    case "destination-unreachable":
    case "failed":
      return {
        state: { name: "ended", outcome: "in-doubt", failure: event.failure },
        effects: ["record-in-doubt"],
      };
    case "started":
    case "prepared":
    case "precopy-started":
    case "converging":
    case "stopped-by-hypervisor":
    case "pre-switchover":
    case "not-promised":
    case "retired":
    case "rolled-back":
    case "cancel-requested":
    case "guest-gone":
    case "kept-at-source":
    case "kept-at-destination":
      return stay(state);
  }
}

function fromVerifying(state: MigrationState, event: MigrationEvent): Transition {
  switch (event.type) {
    case "retired":
      return end("completed", null);
    // The guest runs at the destination whatever cleaning up at the source meets.
    case "failed":
      return end("completed", event.failure);
    case "guest-gone":
      return end("guest-lost", event.failure);
    case "started":
    case "prepared":
    case "precopy-started":
    case "converging":
    case "stopped-by-hypervisor":
    case "pre-switchover":
    case "not-promised":
    case "destination-resumed":
    case "rolled-back":
    case "cancel-requested":
    case "destination-aborted":
    case "destination-unreachable":
    case "kept-at-source":
    case "kept-at-destination":
      return stay(state);
  }
}

function fromRollingBack(
  state: Extract<MigrationState, { name: "rolling-back" }>,
  event: MigrationEvent,
): Transition {
  switch (event.type) {
    case "rolled-back":
      return end(state.ending, state.failure);
    case "guest-gone":
      return {
        state: { ...state, ending: "guest-lost", failure: event.failure },
        effects: ["undo-at-destination", "record-undone"],
      };
    case "failed":
      return {
        state: { name: "ended", outcome: "in-doubt", failure: event.failure },
        effects: ["record-in-doubt"],
      };
    case "started":
    case "prepared":
    case "precopy-started":
    case "converging":
    case "stopped-by-hypervisor":
    case "pre-switchover":
    case "not-promised":
    case "destination-resumed":
    case "retired":
    case "cancel-requested":
    case "destination-aborted":
    case "destination-unreachable":
    case "kept-at-source":
    case "kept-at-destination":
      return stay(state);
  }
}

const verify: Transition = {
  state: { name: "verifying" },
  effects: ["verify-traffic", "retire-source", "record-completed"],
};

/** The reason shown when somebody asked for the cancellation. */
export const cancelledByUser: Failure = {
  step: "cancel",
  code: "SOJ_CANCELLED",
  message: "the migration was cancelled on request",
  hint: null,
};

function rollBack(
  ending: "rolled-back" | "cancelled" | "guest-lost",
  failure: Failure,
): Transition {
  return {
    state: { name: "rolling-back", ending, failure },
    effects: ["undo-at-source", "undo-at-destination", "record-undone"],
  };
}

/** After the promise, on the destination's written abort: once that is on disk here, a restart need not ask for it. */
function takeBack(failure: Failure): Transition {
  const { state, effects } = rollBack("rolled-back", failure);
  return { state, effects: ["record-destination-aborted", ...effects] };
}

function end(outcome: Outcome, failure: Failure | null): Transition {
  return { state: { name: "ended", outcome, failure }, effects: [] };
}

function stay(state: MigrationState): Transition {
  return { state, effects: [] };
}
