import type { Failure, MigrationEvent, MigrationState } from "./migration-state.ts";
import { end, rollBack, stay, type Transition } from "./transition-steps.ts";

/** The promise is given, or about to be: forward, unless the destination has aborted in writing. */
export function fromSwitchover(state: MigrationState, event: MigrationEvent): Transition {
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
    case "admitted":
    case "prepared":
    case "precopy-started":
    case "converging":
    case "stopped-by-hypervisor":
    case "stream-given-up":
    case "still-busy":
    case "pre-switchover":
    case "retired":
    case "rolled-back":
    case "cancel-requested":
      return stay(state);
  }
}

/** Something went wrong after the promise, and the destination is asked what it has done. */
export function fromSettling(state: MigrationState, event: MigrationEvent): Transition {
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
    case "admitted":
    case "prepared":
    case "precopy-started":
    case "converging":
    case "stopped-by-hypervisor":
    case "stream-given-up":
    case "still-busy":
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

/** The guest runs at the destination. */
export function fromVerifying(state: MigrationState, event: MigrationEvent): Transition {
  switch (event.type) {
    case "retired":
      return end("completed", null);
    // The guest runs at the destination whatever cleaning up at the source meets.
    case "failed":
      return end("completed", event.failure);
    case "guest-gone":
      return end("guest-lost", event.failure);
    case "started":
    case "admitted":
    case "prepared":
    case "precopy-started":
    case "converging":
    case "stopped-by-hypervisor":
    case "stream-given-up":
    case "still-busy":
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

const verify: Transition = {
  state: { name: "verifying" },
  effects: ["verify-traffic", "retire-source", "record-completed"],
};

/** After the promise, on the destination's written abort: once that is on disk here, a restart need not ask for it. */
function takeBack(failure: Failure): Transition {
  const { state, effects } = rollBack("rolled-back", failure);
  return { state, effects: ["record-destination-aborted", ...effects] };
}
