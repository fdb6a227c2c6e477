import { SojournError } from "../../../platform/errors.ts";

/** QEMU refused a command: its error class and description (QMP specification, section 2.4.2). */
export class QmpCommandError extends SojournError {
  readonly command: string;
  readonly errorClass: string;
  readonly description: string;

  constructor(command: string, errorClass: string, description: string) {
    super("SOJ_HYPERVISOR_REFUSED", `QEMU refused ${command}: ${description} (${errorClass})`);
    this.command = command;
    this.errorClass = errorClass;
    this.description = description;
  }
}

/** The other end of the monitor socket does not speak QMP as it should. */
export function qmpProtocolError(what: string, cause?: unknown): SojournError {
  return new SojournError("SOJ_QMP_PROTOCOL", `QEMU's monitor sent ${what}`, {
    cause,
    hint: "the connection was closed; the guest itself was not touched",
  });
}

/** The connection ended. Says nothing about the process behind it. */
export function qmpClosedError(path: string, cause?: unknown): SojournError {
  return new SojournError("SOJ_QMP_CLOSED", `the monitor connection ${path} was closed`, {
    cause,
    retryable: true,
  });
}

/** No answer in time; the command may still take effect. */
export function qmpTimeoutError(what: string, timeoutMs: number): SojournError {
  return new SojournError(
    "SOJ_HYPERVISOR_TIMEOUT",
    `QEMU's monitor gave no answer to ${what} within ${timeoutMs} ms; it may still take effect`,
    { retryable: true, hint: "is the QEMU process stopped or the machine overloaded?" },
  );
}

/** The monitor had so many commands to answer that this one did not get its turn. */
export function qmpBusyError(what: string, timeoutMs: number): SojournError {
  return new SojournError(
    "SOJ_HYPERVISOR_TIMEOUT",
    `QEMU's monitor did not get to ${what} within ${timeoutMs} ms; it was not sent`,
    { retryable: true, hint: "is the QEMU process stopped or the machine overloaded?" },
  );
}
