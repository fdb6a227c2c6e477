import { SojournError } from "../../platform/errors.ts";

/** What the kernel answered instead of doing it; `errnoName` is e.g. `ESRCH`. */
export class NetlinkError extends SojournError {
  readonly errnoName: string;

  constructor(errnoName: string, request: string) {
    const needsRoot = errnoName === "EPERM" || errnoName === "EACCES";
    super(
      `SOJ_NETLINK_${errnoName}`,
      `the kernel refused ${request}: ${errnoName}`,
      needsRoot ? { hint: "this needs root (CAP_NET_ADMIN)" } : {},
    );
    this.errnoName = errnoName;
  }
}

/** The socket itself failed; the next request opens another. */
export function broken(request: string, cause: unknown): SojournError {
  return new SojournError("SOJ_NETLINK_BROKEN", `the netlink socket failed at ${request}`, {
    cause,
    retryable: true,
  });
}

/** The kernel, or whoever holds its lock, has said nothing for so long. */
export function timedOut(request: string, timeoutMs: number): SojournError {
  const text = `no answer from the kernel to ${request} within ${timeoutMs} ms`;
  return new SojournError("SOJ_NETLINK_TIMEOUT", text, { retryable: true });
}
