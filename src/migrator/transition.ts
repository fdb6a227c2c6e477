import type { MigrationEvent, MigrationState } from "./migration-state.ts";
import {
  fromPostCopy,
  fromSettling,
  fromSwitchover,
  fromVerifying,
} from "./transition-after-promise.ts";
import { beforePromise, fromPlanned } from "./transition-before-promise.ts";
import { end, stay, type Transition } from "./transition-steps.ts";

/** True when nothing follows any more. */
export function isEnded(
  state: MigrationState,
): state is Extract<MigrationState, { name: "ended" }> {
  return state.name === "ended";
}

/** True once only the destination, or its written abort, may decide. */
export function isPromised(state: MigrationState): boolean {
  return ["switchover", "settling", "post-copy", "verifying"].includes(state.name);
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
    case "post-copy":
      return fromPostCopy(state, event);
    case "verifying":
      return fromVerifying(state, event);
    case "rolling-back":
      return fromRollingBack(state, event);
    case "ended":
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
    case "retired":
    case "cancel-requested":
    case "destination-aborted":
    case "destination-unreachable":
    case "kept-at-source":
    case "kept-at-destination":
      return stay(state);
  }
}
