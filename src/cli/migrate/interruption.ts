import { ExitCode, SojournError } from "../../platform/errors.ts";

/** Turns Ctrl-C and SIGTERM into an abort for as long as it is not disposed; a second one ends the process. */
export function catchInterruption(): Disposable & { signal: AbortSignal } {
  const controller = new AbortController();
  const signals = ["SIGINT", "SIGTERM"] as const;
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

/** The CLI stops looking; the daemon goes on. There is no outcome to report. */
export function detached(id: string): SojournError {
  return new SojournError("SOJ_DETACHED", `migration ${id} goes on without this command`, {
    retryable: true,
    exitCode: ExitCode.internal,
    guestState: "unknown",
    hint: `sojourn watch ${id} follows it, sojourn cancel ${id} takes it back`,
  });
}

function notStarted(): SojournError {
  return new SojournError("SOJ_INTERRUPTED", "interrupted before the migration was started", {
    exitCode: ExitCode.cancelled,
    guestState: "untouched",
  });
}
