import type { IncomingHttpHeaders } from "node:http";
import { SojournError } from "../../platform/errors.ts";
import { HookFailure } from "./failure.ts";
import { shownTarget } from "./targets.ts";

/** Longest pause that a receiver may ask for. */
const longestRetryAfterMs = 3_600_000;

/** What is shown of what a receiver says about its refusal. */
const shownCharacters = 200;

/** What went wrong before there was an answer. */
export function failureOf(error: unknown, url: URL): SojournError {
  if (error instanceof SojournError) return error;
  const { code = "", message = String(error) } = error as { code?: string; message?: string };
  const target = shownTarget(url);
  if (isTlsFault(code)) {
    return new HookFailure("SOJ_HOOK_TLS", `${target} is not trusted: ${message}`, {
      cause: error,
      hint: "its certificate must be of an authority of this system, or of the hook's `ca` file",
    });
  }
  const reason = code === "" ? message : code;
  return new HookFailure("SOJ_HOOK_UNREACHABLE", `${target} cannot be reached: ${reason}`, {
    cause: error,
    hint: "does it run there, and do firewalls let this host through?",
  });
}

/** What an answer other than 200 to 299 means. */
export function failureOfStatus(
  { status, body }: { status: number; body: string },
  headers: IncomingHttpHeaders,
  url: URL,
): HookFailure {
  const target = shownTarget(url);
  if (status >= 300 && status < 400) {
    return new HookFailure("SOJ_HOOK_REDIRECTED", `${target} answered ${status}`, {
      status,
      hint: "redirects are not followed: give the final URL",
    });
  }
  const said = printable(body);
  return new HookFailure(
    "SOJ_HOOK_REFUSED",
    `${target} answered ${status}${said === "" ? "" : `: ${said}`}`,
    { status, retryAfterMs: retryAfterMs(headers["retry-after"]) },
  );
}

function isTlsFault(code: string): boolean {
  return /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO|HOSTNAME_)/.test(code);
}

function printable(body: string): string {
  return body
    .slice(0, shownCharacters)
    .replace(/[^\x20-\x7e]+/g, " ")
    .trim();
}

/** Only the form in seconds: a date would need the two clocks to agree. */
function retryAfterMs(header: string | undefined): number | null {
  if (header === undefined || !/^[0-9]{1,9}$/.test(header)) return null;
  return Math.min(Number(header) * 1000, longestRetryAfterMs);
}
