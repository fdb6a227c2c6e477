import { preconditionError, reasonOf, SojournError } from "../../../platform/errors.ts";

/** What libvirt says of a call that failed (`virNetMessageError`; the numbers are those of `virterror.h`). */
export interface LibvirtErrorFacts {
  /** `virErrorNumber`. */
  code: number;
  /** `virErrorDomain`: the part of libvirt that it comes from. */
  domain: number;
  /** `virErrorLevel`. */
  level: number;
  /** libvirt's own words. */
  description: string;
}

/** libvirt carried out a call and says that it failed. */
export class LibvirtCallError extends SojournError {
  readonly procedure: string;
  readonly libvirtCode: number;
  readonly libvirtDomain: number;
  readonly level: number;
  readonly description: string;

  constructor(procedure: string, { code, domain, level, description }: LibvirtErrorFacts) {
    super(
      "SOJ_HYPERVISOR_REFUSED",
      `libvirt refused ${procedure}: ${description} (error ${code}, domain ${domain})`,
    );
    this.procedure = procedure;
    this.libvirtCode = code;
    this.libvirtDomain = domain;
    this.level = level;
    this.description = description;
  }
}

/** The other end of the socket does not speak libvirt's RPC as it should. */
export function libvirtProtocolError(what: string, cause?: unknown): SojournError {
  return new SojournError("SOJ_LIBVIRT_PROTOCOL", `libvirt sent ${what}`, {
    cause,
    hint: "the connection was closed and can be opened again; what was under way may have taken effect",
  });
}

/** The connection ended. Says nothing about the daemon or the guests behind it. */
export function libvirtClosedError(path: string, why: string, cause?: unknown): SojournError {
  return new SojournError("SOJ_LIBVIRT_CLOSED", `the connection to libvirt at ${path} ${why}`, {
    cause,
    retryable: true,
    hint: "what was under way may have taken effect",
  });
}

/** The daemon at the socket only passes on, and the daemon behind it is gone. */
export function libvirtRelayLostError(reason: number): SojournError {
  const message = `libvirt has lost its own connection to the driver's daemon (reason ${reason})`;
  return new SojournError("SOJ_LIBVIRT_CLOSED", message, {
    retryable: true,
    hint: "what was under way may have taken effect",
  });
}

/** Nobody answers at the socket. */
export function libvirtUnreachableError(path: string, cause: unknown): SojournError {
  return preconditionError("SOJ_LIBVIRT_UNREACHABLE", `no libvirt at ${path}: ${reasonOf(cause)}`, {
    cause,
    retryable: true,
    hint: "is libvirtd or virtqemud installed and running? `systemctl status libvirtd virtqemud`",
  });
}

/** libvirt is there and does not let us in. */
export function libvirtAccessError(path: string, why: string, cause?: unknown): SojournError {
  return preconditionError("SOJ_LIBVIRT_ACCESS", `libvirt at ${path} does not let us in: ${why}`, {
    cause,
    hint: "run as root, or as a member of the group libvirt whom polkit allows org.libvirt.unix.manage",
  });
}

/** libvirt lacks something that is needed. */
export function libvirtTooOldError(what: string): SojournError {
  return preconditionError("SOJ_LIBVIRT_TOO_OLD", `this libvirt has no ${what}`, {
    hint: "libvirt 6.0 or newer is needed, with its QEMU driver",
  });
}

/** No answer in time. */
export function libvirtTimeoutError(what: string, timeoutMs: number, sent: boolean): SojournError {
  const effect = sent ? "it may still take effect" : "it was not sent, since too much is under way";
  return new SojournError(
    "SOJ_HYPERVISOR_TIMEOUT",
    `libvirt gave no answer to ${what} within ${timeoutMs} ms; ${effect}`,
    { retryable: true, hint: "is libvirt stopped, the machine overloaded, or the domain busy?" },
  );
}

/** A call whose arguments do not fit the protocol: a fault of the caller. */
export function libvirtArgumentError(procedure: string, cause: unknown): SojournError {
  return new SojournError(
    "SOJ_LIBVIRT_ARGUMENT",
    `${procedure} cannot be asked: ${reasonOf(cause)}`,
    {
      cause,
      hint: "it was not sent",
    },
  );
}
