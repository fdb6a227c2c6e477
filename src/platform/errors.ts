/** Process exit codes of the CLI; every error carries one. */
export const ExitCode = {
  done: 0,
  internal: 1,
  usage: 2,
  precondition: 3,
  rolledBack: 4,
  inDoubt: 5,
  cancelled: 6,
  unreachable: 7,
  overBudget: 8,
  guestLost: 9,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** What is known about the guest at the moment an error is reported. */
export type GuestState =
  | "running-at-source"
  | "running-at-destination"
  | "paused-at-source"
  | "untouched"
  | "lost"
  | "unknown";

export interface SojournErrorOptions {
  /** What the reader should do next. */
  hint?: string;
  cause?: unknown;
  retryable?: boolean;
  guestState?: GuestState;
  exitCode?: ExitCode;
  httpStatus?: number;
  /** Id of the migration that it is about. */
  migration?: string;
}

/** Shape in which errors cross process boundaries and end `--json` output. */
export interface ErrorRecord {
  type: "error";
  code: string;
  message: string;
  hint: string | null;
  guest_state: GuestState | null;
  exit_code: number;
  retryable: boolean;
  /** Of the migration that it is about; absent when it is about none. */
  id?: string;
}

/**
 * Base of every error that a user may see. `code` is stable (`SOJ_…`); the message says what happened
 * and in which state things are, the hint what to do.
 */
export class SojournError extends Error {
  readonly code: string;
  readonly exitCode: ExitCode;
  readonly httpStatus: number;
  readonly retryable: boolean;
  readonly hint: string | null;
  readonly guestState: GuestState | null;
  readonly migration: string | null;

  constructor(code: `SOJ_${string}`, message: string, options: SojournErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "SojournError";
    this.code = code;
    this.exitCode = options.exitCode ?? ExitCode.internal;
    this.httpStatus = options.httpStatus ?? 500;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint ?? null;
    this.guestState = options.guestState ?? null;
    this.migration = options.migration ?? null;
  }

  /** The error as the API and `--json` print it. */
  toRecord(): ErrorRecord {
    return {
      type: "error",
      code: this.code,
      message: this.message,
      hint: this.hint,
      guest_state: this.guestState,
      exit_code: this.exitCode,
      retryable: this.retryable,
      ...(this.migration === null ? {} : { id: this.migration }),
    };
  }

  /** Rebuilds an error received from a daemon. */
  static fromRecord(record: ErrorRecord, httpStatus: number): SojournError {
    return new SojournError(record.code as `SOJ_${string}`, record.message, {
      exitCode: record.exit_code as ExitCode,
      httpStatus,
      retryable: record.retryable,
      ...(record.hint === null ? {} : { hint: record.hint }),
      ...(record.guest_state === null ? {} : { guestState: record.guest_state }),
      ...(record.id === undefined ? {} : { migration: record.id }),
    });
  }
}

/** Bad input by the caller: wrong argument, body or definition. */
export function usageError(
  message: string,
  hint?: string,
  code: `SOJ_${string}` = "SOJ_USAGE",
): SojournError {
  return new SojournError(code, message, {
    exitCode: ExitCode.usage,
    httpStatus: 400,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Something that must hold beforehand does not: unknown guest, host or id, a busy guest, a missing tool. */
export function preconditionError(
  code: `SOJ_${string}`,
  message: string,
  options: SojournErrorOptions = {},
): SojournError {
  return new SojournError(code, message, {
    exitCode: ExitCode.precondition,
    httpStatus: 409,
    ...options,
  });
}

/** Whether what was thrown is the error that `code` names. */
export function hasCode(thrown: unknown, code: string): boolean {
  return thrown instanceof SojournError && thrown.code === code;
}

/** Wraps anything thrown so that callers always have a `SojournError`. */
export function asSojournError(error: unknown): SojournError {
  if (error instanceof SojournError) return error;
  return new SojournError("SOJ_INTERNAL", reasonOf(error), { cause: error });
}

/** Why something failed, in the words of whatever was thrown. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
