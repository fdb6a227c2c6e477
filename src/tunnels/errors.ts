import { preconditionError, reasonOf, SojournError, usageError } from "../platform/errors.ts";

/** A tunnel description that makes no sense on any kernel. */
export function unusableSpec(message: string): SojournError {
  return usageError(message, undefined, "SOJ_TUNNEL_SPEC");
}

/** No data path of the wanted kind works here; `reasons` has one entry for each that was tried. */
export function unsupported(kind: string, reasons: readonly string[]): SojournError {
  return preconditionError(
    "SOJ_TUNNEL_UNSUPPORTED",
    `this kernel has no ${kind === "auto" ? "usable" : kind} tunnel: ${reasons.join("; ")}`,
    { hint: "load the kernel module named, or run ./scripts/setup for the BPF data path" },
  );
}

/** The remote end cannot be reached from the local address, or only through an unusable device. */
export function noUnderlay(message: string, cause?: unknown): SojournError {
  return preconditionError("SOJ_TUNNEL_UNDERLAY", message, {
    hint: "the local address must be configured here and a route must lead to the remote end",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Something that is not ours is where the tunnel would be; it was not touched. */
export function foreignObject(message: string): SojournError {
  return preconditionError("SOJ_TUNNEL_FOREIGN", `${message}; it is not ours and was left alone`, {
    hint: "remove or rename it, or choose another tunnel kind",
  });
}

/** The compiled BPF object is missing or not what it should be. */
export function badObject(message: string, cause?: unknown): SojournError {
  return preconditionError("SOJ_TUNNEL_OBJECT", message, {
    hint: "./scripts/setup compiles it from src/tunnels/bpf",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** A command failed while a tunnel was made or removed; `left` names what could not be taken back. */
export function tunnelFailed(
  what: string,
  cause: unknown,
  left: readonly string[] = [],
): SojournError {
  const reason = reasonOf(cause);
  const state = left.length === 0 ? "nothing of it is left" : `could not undo: ${left.join("; ")}`;
  return new SojournError("SOJ_TUNNEL_FAILED", `${what}: ${reason} (${state})`, {
    cause,
    retryable: true,
  });
}
