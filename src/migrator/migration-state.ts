import type { Outcome } from "./report.ts";

/**
 * The source's side of one migration as a pure state machine.
 *
 * Up to `armed` every failure goes back to the source (`rolling-back`). Entering `switchover` is the
 * promise: from there the source runs the guest again only after `destination-aborted`. In `post-copy` neither side alone
 * has the guest: the only ways on are all of its memory at the destination, or its loss.
 */
export type MigrationState =
  | { name: "planned" }
  | { name: "preparing" }
  | { name: "prepared" }
  | { name: "precopy" }
  | { name: "armed" }
  | { name: "switchover"; postCopy: boolean }
  | { name: "settling"; postCopy: boolean; failure: Failure }
  /** The guest runs at the destination, and the rest of its memory follows. */
  | { name: "post-copy" }
  /** `lost`: why the guest is no more, when its memory could not follow. */
  | { name: "verifying"; lost: Failure | null }
  | { name: "rolling-back"; ending: "rolled-back" | "cancelled" | "guest-lost"; failure: Failure }
  | { name: "ended"; outcome: Outcome; failure: Failure | null };

/** Why a migration does not complete: the step it failed in and the error a user is shown. */
export interface Failure {
  step: string;
  code: string;
  message: string;
  hint: string | null;
}

export type MigrationEvent =
  | { type: "started" }
  | { type: "admitted" }
  | { type: "prepared" }
  | { type: "precopy-started" }
  | { type: "converging" }
  | { type: "stopped-by-hypervisor" }
  | { type: "stream-given-up" }
  | { type: "still-busy" }
  | { type: "pre-switchover"; postCopy: boolean }
  | { type: "not-promised"; failure: Failure }
  | { type: "destination-resumed" }
  | { type: "post-copy-completed" }
  /** One of the two processes has ended while memory was in both: no copy is left, here or there. */
  | { type: "post-copy-lost"; failure: Failure }
  | { type: "retired" }
  | { type: "rolled-back" }
  | { type: "failed"; failure: Failure }
  | { type: "cancel-requested" }
  | { type: "guest-gone"; failure: Failure }
  | { type: "destination-aborted"; failure: Failure }
  | { type: "destination-unreachable"; failure: Failure }
  /** An operator's written decision about a migration in doubt. */
  | { type: "kept-at-source"; failure: Failure }
  | { type: "kept-at-destination" };

/** What the executor does next, in this order; the last one's end is the next event. */
export type Effect =
  | "ask-at-planned"
  | "record-begin"
  | "prepare-destination"
  | "prepare-source"
  | "pass-barrier"
  | "ask-at-prepared"
  | "renew-destination"
  | "start-precopy"
  | "await-convergence"
  | "ask-at-armed"
  | "converge-again"
  | "arm-copy"
  | "disarm-copy"
  | "record-pausing"
  | "stop-guest"
  | "await-pre-switchover"
  | "record-post-copy"
  | "record-promise"
  | "change-route"
  | "continue-migration"
  | "await-takeover"
  | "await-post-copy"
  | "settle-with-destination"
  | "verify-traffic"
  | "retire-source"
  | "record-completed"
  | "yield-to-destination"
  | "undo-at-source"
  | "undo-at-destination"
  | "record-destination-aborted"
  | "record-undone"
  | "record-in-doubt";
