import { hasCode, reasonOf, SojournError } from "../../../platform/errors.ts";
import { LibvirtErrorCode } from "../rpc/constants/error-codes.ts";
import { LibvirtCallError } from "../rpc/errors.ts";

/** libvirt does not answer now, which says nothing about its guests. */
export function disconnectedError(cause: unknown): SojournError {
  const reason = cause === null || cause === undefined ? "" : `: ${reasonOf(cause)}`;
  return new SojournError(
    "SOJ_HYPERVISOR_DISCONNECTED",
    `there is no connection to libvirt now${reason}`,
    {
      cause,
      retryable: true,
      hint: "the connection is being opened again; guests go on without libvirt",
    },
  );
}

/** The domain does not run here (any more). */
export function goneError(guest: string, cause?: unknown): SojournError {
  return new SojournError("SOJ_HYPERVISOR_GONE", `the domain of guest ${guest} does not run here`, {
    cause,
  });
}

/** What runs is not what the guest is defined as. */
export function wrongGuestError(guest: string, what: string): SojournError {
  return new SojournError(
    "SOJ_HYPERVISOR_WRONG_GUEST",
    `not the domain of guest ${guest}: ${what}`,
  );
}

/** What libvirt would have to do makes no sense now; nothing was done. */
export function refusedError(guest: string, what: string, hint?: string): SojournError {
  return new SojournError("SOJ_HYPERVISOR_REFUSED", `guest ${guest} ${what}`, {
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Whether a call failed because the connection it was made on has ended, or could not be opened. */
export function isConnectionEnd(error: unknown): boolean {
  const codes = ["SOJ_LIBVIRT_CLOSED", "SOJ_LIBVIRT_PROTOCOL", "SOJ_LIBVIRT_UNREACHABLE"];
  return error instanceof SojournError && codes.includes(error.code);
}

/** Whether libvirt refused because the domain is unknown to it. */
export function isNoDomain(error: unknown): boolean {
  return error instanceof LibvirtCallError && error.libvirtCode === LibvirtErrorCode.noDomain;
}

/** Whether the domain does not run here (any more). */
export function isGone(error: unknown): boolean {
  return hasCode(error, "SOJ_HYPERVISOR_GONE");
}

/** Whether libvirt refused because it makes no sense in the domain's state: it is not running, it has no such job. */
export function isInvalidNow(error: unknown): boolean {
  return (
    error instanceof LibvirtCallError && error.libvirtCode === LibvirtErrorCode.operationInvalid
  );
}
