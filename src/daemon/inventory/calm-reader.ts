import { delay, monotonicMs } from "../../platform/clock.ts";
import { preconditionError } from "../../platform/errors.ts";

export interface CalmReaderOptions {
  /** How long an answer is given again. */
  goodForMs: number;
  /** A guest of ours stands just now: nothing slow may be begun. */
  isGuestStanding: () => boolean;
}

/** How long a reader without an earlier answer waits for the guest to go on. */
const longestWaitMs = 5_000;
const pollMs = 20;

/**
 * An answer that costs something: it is got once at a time, whoever asks shares it, and it is good for a while. While
 * a guest of ours stands nothing is begun: the last answer is given, however old.
 */
export class CalmReader<Result> {
  readonly #read: () => Promise<Result>;
  readonly #options: CalmReaderOptions;
  #last: { result: Result; atMs: number } | null = null;
  #reading: Promise<Result> | null = null;

  constructor(read: () => Promise<Result>, options: CalmReaderOptions) {
    this.#read = read;
    this.#options = options;
  }

  /** @throws SojournError `SOJ_SWITCHOVER` when nothing is known yet and a guest stands; what reading throws. */
  get(): Promise<Result> {
    const last = this.#last;
    const { goodForMs, isGuestStanding } = this.#options;
    if (last !== null && (monotonicMs() - last.atMs < goodForMs || isGuestStanding())) {
      return Promise.resolve(last.result);
    }
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #readOnce(): Promise<Result> {
    await untilCalm(this.#options.isGuestStanding);
    const result = await this.#read();
    this.#last = { result, atMs: monotonicMs() };
    return result;
  }
}

/** Resolves once no guest of ours stands. @throws SojournError `SOJ_SWITCHOVER` (503, retryable) after 5 s. */
export async function untilCalm(isGuestStanding: () => boolean): Promise<void> {
  const endMs = monotonicMs() + longestWaitMs;
  while (isGuestStanding()) {
    if (monotonicMs() >= endMs) {
      throw preconditionError("SOJ_SWITCHOVER", "a guest of this host stands for its switchover", {
        httpStatus: 503,
        retryable: true,
        hint: "ask again in a moment; sojourn status tells which migration it is",
      });
    }
    await delay(pollMs);
  }
}
