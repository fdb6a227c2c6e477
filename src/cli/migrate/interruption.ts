import type { SojournClient } from "../../client/index.ts";
import { asSojournError, ExitCode, SojournError } from "../../platform/errors.ts";
import type { Output } from "../output.ts";

/**
 * Turns Ctrl-C and SIGTERM, and with `hangup` the end of the terminal, into an abort for as long as it is not disposed;
 * a second one ends the process.
 */
export function catchInterruption(hangup = false): Disposable & { signal: AbortSignal } {
  const controller = new AbortController();
  const signals: NodeJS.Signals[] = ["SIGINT", "SIGTERM", ...(hangup ? ["SIGHUP" as const] : [])];
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(notStarted());
  };
  for (const signal of signals) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}

/**
 * Cancels the migration when `interrupted` fires; how it ends is then told by who follows it, with the signal
 * `never`. Null without a signal.
 */
export function cancelOn(
  interrupted: AbortSignal | null,
  client: SojournClient,
  id: string,
  output: Output,
): (Disposable & { never: AbortSignal }) | null {
  if (interrupted === null) return null;
  const cancel = () => {
    output.line(`interrupted: migration ${id} is cancelled`);
    client
      .cancelMigration(id)
      .catch((error: unknown) => output.line(asSojournError(error).message));
  };
  if (interrupted.aborted) cancel();
  else interrupted.addEventListener("abort", cancel, { once: true });
  return {
    never: new AbortController().signal,
    [Symbol.dispose]: () => interrupted.removeEventListener("abort", cancel),
  };
}

/** The CLI stops looking; the daemon goes on. There is no outcome to report. */
export function detached(id: string): SojournError {
  return new SojournError("SOJ_DETACHED", `migration ${id} goes on without this command`, {
    retryable: true,
    exitCode: ExitCode.internal,
    guestState: "unknown",
    migration: id,
    hint: `sojourn watch ${id} follows it, sojourn cancel ${id} takes it back`,
  });
}

function notStarted(): SojournError {
  return new SojournError("SOJ_INTERRUPTED", "interrupted before the migration was started", {
    exitCode: ExitCode.cancelled,
    guestState: "untouched",
  });
}
