import { errorFromJson } from "../platform/error-record.ts";
import { ExitCode, SojournError } from "../platform/errors.ts";

/** The daemon's own error, as it was thrown there. */
export function rejection(body: unknown, status: number): SojournError {
  return errorFromJson(body, status) ?? notUnderstood(`HTTP status ${status}`);
}

export function notUnderstood(reason: string): SojournError {
  return new SojournError(
    "SOJ_DAEMON_PROTOCOL",
    `the daemon's answer is not understood: ${reason}`,
    { hint: "restart the daemon if it is older than this program" },
  );
}

export function cutOff(cause?: unknown): SojournError {
  if (cause instanceof SojournError) return cause;
  return new SojournError("SOJ_DAEMON_UNREACHABLE", "the daemon ended while it was answering", {
    cause,
    exitCode: ExitCode.unreachable,
    retryable: true,
    hint: "look at its log; sojourn status tells once it runs again",
  });
}

export function timedOut(name: string): SojournError {
  return new SojournError("SOJ_DAEMON_UNREACHABLE", `the daemon at ${name} says nothing`, {
    exitCode: ExitCode.unreachable,
    retryable: true,
    hint: "look at its log",
  });
}

/** Nobody answers, or may not be asked. */
export function unreachable(name: string, cause: unknown): SojournError {
  if (cause instanceof SojournError) return cause;
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const denied = code === "EACCES" || code === "EPERM";
  const untrusted = /CERT|SSL|TLS|SELF_SIGNED/.test(code);
  return new SojournError(
    "SOJ_DAEMON_UNREACHABLE",
    denied
      ? `no permission for the daemon's socket ${name}`
      : `no daemon answers at ${name} (${code})`,
    {
      cause,
      exitCode: ExitCode.unreachable,
      retryable: !denied && !untrusted,
      hint: denied
        ? "run it as root or as a member of the socket's group"
        : untrusted
          ? "name the authority of that host's certificate (--ca-file, SOJOURN_CA_FILE); the address asked for must be in it"
          : name.startsWith("https:")
            ? "on that host: does the daemon run, does [api] listen in its sojourn.toml name this address and port, and do firewalls let it in?"
            : "start it with: systemctl start sojourn (in the lab: sojourn lab restart NODE); without systemd: sojourn daemon --config /etc/sojourn/sojourn.toml",
    },
  );
}

/** The connection was lost and does not come back. */
export function lost(what: string, cause: unknown, hint: string): SojournError {
  return new SojournError(
    "SOJ_DAEMON_UNREACHABLE",
    `the daemon went away; how ${what} goes on is not known here`,
    { cause, exitCode: ExitCode.unreachable, retryable: true, hint },
  );
}
