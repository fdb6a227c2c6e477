import type { MigrationEvent, MigrationState } from "./migration-state.ts";
import { cancelledByUser, end, rollBack, stay, type Transition } from "./transition-steps.ts";

/** Nothing is prepared yet: there is nothing to take back. */
export function fromPlanned(state: MigrationState, event: MigrationEvent): Transition {
  switch (event.type) {
    case "started":
      return { state, effects: ["ask-at-planned"] };
    case "admitted":
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
    case "stream-given-up":
    case "still-busy":
    case "pre-switchover":
    case "not-promised":
    case "destination-resumed":
    case "post-copy-completed":
    case "post-copy-lost":
    case "retired":
    case "rolled-back":
    case "destination-aborted":
    case "destination-unreachable":
    case "kept-at-source":
    case "kept-at-destination":
      return stay(state);
  }
}

/** Every failure goes back to the source. */
export function beforePromise(
  state: Extract<MigrationState, { name: "preparing" | "prepared" | "precopy" | "armed" }>,
  event: MigrationEvent,
): Transition {
  switch (event.type) {
    case "prepared":
      return state.name === "preparing"
        ? { state: { name: "prepared" }, effects: ["ask-at-prepared", "start-precopy"] }
        : stay(state);
    case "precopy-started":
      return state.name === "prepared"
        ? {
            state: { name: "precopy" },
            effects: ["await-convergence", "ask-at-armed", "converge-again"],
          }
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
    // A gate took longer than the stream could be held; the destination is as empty as before.
    case "stream-given-up":
      return state.name === "precopy"
        ? { state: { name: "prepared" }, effects: ["start-precopy"] }
        : stay(state);
    // A stream that goes to its end by itself would take too long: the guest is not stopped yet.
    case "still-busy":
      return state.name === "armed"
        ? {
            state: { name: "precopy" },
            effects: ["disarm-copy", "await-convergence", "ask-at-armed", "converge-again"],
          }
        : stay(state);
    case "pre-switchover":
      return state.name === "armed"
        ? {
            state: { name: "switchover", postCopy: event.postCopy },
            effects: [
              ...(event.postCopy ? (["record-post-copy"] as const) : []),
              ...(["record-promise", "change-route"] as const),
              ...(["continue-migration", "await-takeover"] as const),
            ],
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
    case "admitted":
    case "not-promised":
    case "destination-resumed":
    case "post-copy-completed":
    case "post-copy-lost":
    case "retired":
    case "rolled-back":
    case "kept-at-source":
    case "kept-at-destination":
      return stay(state);
  }
}
