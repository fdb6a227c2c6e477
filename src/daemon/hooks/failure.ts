import { SojournError } from "../../platform/errors.ts";

/** A hook that was not received, or not accepted. Its message shows no more of the URL than its origin. */
export class HookFailure extends SojournError {
  /** What the receiver answered; null when it did not. */
  readonly status: number | null;
  /** How long the receiver wants to be left alone (Retry-After, RFC 9110); null when it does not say. */
  readonly retryAfterMs: number | null;
  /** It is not tried again by itself. */
  readonly isFinal: boolean;

  constructor(
    code: `SOJ_HOOK_${string}`,
    message: string,
    options: {
      status?: number | null;
      retryAfterMs?: number | null;
      isFinal?: boolean;
      cause?: unknown;
      hint?: string;
    } = {},
  ) {
    super(code, message, {
      exitCode: 1,
      httpStatus: 502,
      retryable: !(options.isFinal ?? false),
      ...(options.cause === undefined ? {} : { cause: options.cause }),
      ...(options.hint === undefined ? {} : { hint: options.hint }),
    });
    this.status = options.status ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.isFinal = options.isFinal ?? false;
  }
}
