import { preconditionError, SojournError } from "../platform/errors.ts";
import type { ProberExit } from "./prober-process.ts";
import type { ProbeKind } from "./series.ts";
import type { NoSessionReason } from "./session.ts";

interface Probed {
  kind: ProbeKind;
  host: string;
  port: number | null;
}

/** The target gave no session that could be measured; nothing has been changed anywhere. */
export function noSessionError(
  probed: Probed,
  problem: { reason: NoSessionReason; message: string },
): SojournError {
  return preconditionError(
    "SOJ_PROBE_NO_ANSWER",
    `${nameOf(probed)} gives no session to measure: ${problem.message}`,
    { hint: hints[problem.reason](probed), retryable: problem.reason !== "wrong-service" },
  );
}

/** The measuring process itself ended or broke its protocol; the session says nothing. */
export function proberDiedError(probed: Probed, exit: ProberExit): SojournError {
  const end = exit.signal === null ? `exit code ${exit.exitCode}` : `signal ${exit.signal}`;
  const cause = exit.error instanceof Error ? exit.error.message : end;
  const said = exit.stderr === "" ? "" : `: ${exit.stderr.slice(-600)}`;
  return new SojournError(
    "SOJ_PROBER_DIED",
    `the prober of ${nameOf(probed)} ended by itself (${cause})${said}`,
    {
      hint: "the guest is not affected; what was measured is incomplete",
      retryable: true,
      cause: exit.error ?? undefined,
    },
  );
}

/** The measuring process, or the program it reads, does not speak as it should. */
export function proberProtocolError(what: string, cause?: unknown): SojournError {
  return new SojournError("SOJ_PROBER_PROTOCOL", `a prober sent ${what}`, { cause });
}

/** The measuring process does not do what it was asked to; it is ended. */
export function proberStuckError(probed: Probed, what: string): SojournError {
  return new SojournError(
    "SOJ_PROBER_STUCK",
    `the prober of ${nameOf(probed)} ${what} in time and was ended`,
    { hint: "is this machine overloaded or the prober's node gone?", retryable: true },
  );
}

const hints: Record<NoSessionReason, (probed: Probed) => string> = {
  unreachable: ({ port }) =>
    `does the guest run${port === null ? "" : `, listen on TCP port ${port}`} and accept this client? --no-probe moves it unmeasured`,
  silent: ({ port }) =>
    port === null
      ? "something drops echo requests or their answers, or the guest does not run"
      : `something accepts or drops TCP port ${port} without an answer`,
  "wrong-service": ({ kind }) => `it has to be ${services[kind]}`,
  unavailable: ({ kind }) =>
    kind === "packet"
      ? "it takes iputils ping and, for more than 500 requests a second, root"
      : "the node of the prober lacks what this probe needs",
};

const services: Record<ProbeKind, string> = {
  "tcp-echo": "an echo service (RFC 862)",
  "tcp-stream": "a character generator (RFC 864)",
  "tcp-upload": "a discard service (RFC 863)",
  http: "an HTTP server",
  packet: "a host that answers echo requests",
};

function nameOf({ kind, host, port }: Probed): string {
  if (port === null) return `${kind} ${host}`;
  return `${kind} ${host.includes(":") ? `[${host}]` : host}:${port}`;
}
