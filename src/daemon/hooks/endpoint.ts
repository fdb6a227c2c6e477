import type { SpooledMessage } from "./spool-rows.ts";

/** Who gets messages. */
export interface HookEndpoint {
  readonly kind: "webhook" | "exec";
  /**
   * Hands a message over; resolves with an HTTP status or exit code once it is received, null when there is none.
   * @throws HookFailure, or another SojournError; the message is tried again.
   */
  deliver(message: SpooledMessage, signal: AbortSignal): Promise<number | null>;
}
