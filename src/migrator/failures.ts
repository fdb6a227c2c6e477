import { asSojournError } from "../platform/errors.ts";
import type { Failure, MigrationEvent } from "./migration-state.ts";

/** Ends what is under way because of something from outside: a cancellation, the guest's end. */
export class Interruption extends Error {
  readonly event: MigrationEvent;

  constructor(event: MigrationEvent) {
    super(event.type);
    this.event = event;
  }
}

/** What a user is told about a step that failed. */
export function failureOf(error: unknown, step: string): Failure {
  const { code, message, hint } = asSojournError(error);
  return { step, code, message, hint };
}

/** The failure of a guest whose process ended at the source. */
export function guestGone(guest: string): Failure {
  return {
    step: "guest",
    code: "SOJ_GUEST_GONE",
    message: `${guest}'s process at the source ended during the migration`,
    hint: "look at its console and log; start it again with sojourn guest start",
  };
}

/** The failure of a guest whose destination ended while it was handed over by post-copy: neither side has all of it. */
export function lostInHandover(task: { guest: string; to: string }): Failure {
  return {
    step: "await-takeover",
    code: "SOJ_POST_COPY_LOST",
    message: `${task.guest}'s process at ${task.to} ended while the guest was handed over to it`,
    hint: `start it again with sojourn guest start ${task.guest}; see the log of ${task.to}`,
  };
}

/** The failure of a guest whose process ended at the destination right after it had been taken over. */
export function lostAtDestination(task: { guest: string; to: string }): Failure {
  return {
    step: "verify-traffic",
    code: "SOJ_GUEST_GONE",
    message: `${task.guest}'s process ended at ${task.to} after it had been taken over`,
    hint: `look at its console and log at ${task.to}; start it again with sojourn guest start`,
  };
}
