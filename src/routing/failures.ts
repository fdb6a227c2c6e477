import {
  ExitCode,
  preconditionError,
  reasonOf,
  SojournError,
  usageError,
} from "../platform/errors.ts";

/** Something that is not ours is where an object of ours has to go; nothing was changed. */
export function foreignObject(what: string): SojournError {
  return preconditionError(
    "SOJ_ROUTING_FOREIGN",
    `${what} is in the way and was not made by Sojourn; nothing was changed`,
    { hint: "remove it, or move it to another name, table or priority" },
  );
}

/** A device that the desired state names is not there; nothing was changed. */
export function missingDevice(name: string, purpose: string): SojournError {
  return preconditionError(
    "SOJ_ROUTING_NO_DEVICE",
    `there is no ${purpose} named ${name}; nothing was changed`,
  );
}

/** A desired state that cannot be meant. */
export function badDesiredState(what: string): SojournError {
  return usageError(what, undefined, "SOJ_ROUTING_BAD_STATE");
}

/** A line failed half-way; `notUndone` are undo lines that failed as well. */
export function applyFailed(line: string, cause: unknown, undone: number, notUndone: string[]) {
  const reason = reasonOf(cause);
  const state =
    notUndone.length === 0
      ? `the ${undone} changes before it were taken back`
      : `these changes could not be taken back: ${notUndone.join("; ")}`;
  return new SojournError("SOJ_ROUTING_APPLY_FAILED", `${line} failed (${reason}); ${state}`, {
    cause,
    exitCode: notUndone.length === 0 ? ExitCode.precondition : ExitCode.internal,
    hint: "run the line by hand to see why, and `sojourn doctor` for what this kernel can do",
  });
}
