import type { Failure, MigrationEvent, MigrationState } from "./migration-state.ts";
import { end, rollBack, stay, type Transition } from "./transition-steps.ts";

/** The promise is given, or about to be: forward, unless the destination has aborted in writing. */
export function fromSwitchover(
  state: Extract<MigrationState, { name: "switchover" }>,
  event: MigrationEvent,
): Transition {
  switch (event.type) {
    case "destination-resumed":
      return state.postCopy ? followPages : verify;
    case "failed":
    case "guest-gone":
    case "destination-unreachable":
      return {
        state: { name: "settling", postCopy: state.postCopy, failure: event.failure },
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
        state: { name: "verifying", lost: null },
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
    case "post-copy-completed":
    case "post-copy-lost":
    case "retired":
    case "rolled-back":
    case "cancel-requested":
      return stay(state);
  }
}

/** Something went wrong after the promise, and the destination is asked what it has done. */
export function fromSettling(
  state: Extract<MigrationState, { name: "settling" }>,
  event: MigrationEvent,
): Transition {
  switch (event.type) {
    case "destination-resumed":
      return state.postCopy ? followPages : verify;
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
    case "post-copy-completed":
    case "post-copy-lost":
    case "retired":
    case "rolled-back":
    case "cancel-requested":
    case "guest-gone":
    case "kept-at-source":
    case "kept-at-destination":
      return stay(state);
  }
}

/** The guest runs at the destination and needs this source until all of its memory is there: nothing leads back. */
export function fromPostCopy(
  state: Extract<MigrationState, { name: "post-copy" }>,
  event: MigrationEvent,
): Transition {
  switch (event.type) {
    case "post-copy-completed":
      return verify;
    case "post-copy-lost":
      return { ...verify, state: { name: "verifying", lost: event.failure } };
    case "failed":
    case "destination-unreachable":
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
    case "destination-resumed":
    case "destination-aborted":
    case "retired":
    case "rolled-back":
    case "cancel-requested":
    case "guest-gone":
    case "kept-at-source":
    case "kept-at-destination":
      return stay(state);
  }
}

/** The guest runs at the destination, or is lost. */
export function fromVerifying(
  state: Extract<MigrationState, { name: "verifying" }>,
  event: MigrationEvent,
): Transition {
  switch (event.type) {
    case "retired":
      return state.lost === null ? end("completed", null) : end("guest-lost", state.lost);
    // The guest runs at the destination whatever cleaning up at the source meets.
    case "failed":
      return state.lost === null ? end("completed", event.failure) : end("guest-lost", state.lost);
    case "guest-gone":
      return end("guest-lost", state.lost ?? event.failure);
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
    case "post-copy-completed":
    case "post-copy-lost":
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
  state: { name: "verifying", lost: null },
  effects: ["verify-traffic", "retire-source", "record-completed"],
};

const followPages: Transition = { state: { name: "post-copy" }, effects: ["await-post-copy"] };

/** After the promise, on the destination's written abort: once that is on disk here, a restart need not ask for it. */
function takeBack(failure: Failure): Transition {
  const { state, effects } = rollBack("rolled-back", failure);
  return { state, effects: ["record-destination-aborted", ...effects] };
}
