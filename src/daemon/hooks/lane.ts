import { delay, wallClockMs } from "../../platform/clock.ts";
import { asSojournError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import type { ConcurrencyLimit } from "../concurrency-limit.ts";
import { pauseMs } from "./backoff.ts";
import type { HookEndpoint } from "./endpoint.ts";
import { HookFailure } from "./failure.ts";
import type { DeliveryCounters } from "./figures.ts";
import type { QuietTimes } from "./quiet-times.ts";
import { type Attempt, attemptsAtHead, type Spool } from "./spool.ts";
import type { SpooledMessage } from "./spool-rows.ts";

/** A message that is not received for so long is given up. */
export const giveUpMs = 24 * 3_600_000;

/** Between attempts of a message that fails while others are received. */
const setAsidePauseMs = 600_000;

/** Answers of who stands before a receiver that is away or overloaded (RFC 9110, RFC 6585). */
const awayStatuses: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

/** Between attempts to use a disk that is full or cannot be written. */
const diskPauseMs = 2_000;

export interface LaneOptions {
  subscription: string;
  lane: string;
  endpoint: HookEndpoint;
  spool: Spool;
  quiet: QuietTimes;
  /** Lanes that may deliver at the same time. */
  limit: ConcurrencyLimit;
  counters: DeliveryCounters;
  logger: Logger;
}

/**
 * Delivers one lane's messages one after the other, in their order. A message that fails is tried again before any
 * other. Once it has failed often it is set aside: at once when the receiver answers and refuses it; when there is no
 * answer, only if the one behind it is received, so that a receiver that was away gets all in their order.
 */
export class Lane {
  readonly #options: LaneOptions;
  #failures = 0;
  #wake: AbortController | null = null;
  #isIdle = false;
  /** The message without an answer at which the lane stands, and whether another was received since. */
  #stuck: { number: number; isPassed: boolean } | null = null;
  /** Only messages behind the stuck one are looked at: it has just failed. */
  #after = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** There is a new message: those that are not due yet are waited for no more, a failing receiver is. */
  notice(): void {
    if (this.#isIdle) this.#wake?.abort();
  }

  /** The pause, if there is one, is over. */
  hurry(): void {
    this.#failures = 0;
    this.#wake?.abort();
  }

  /** Resolves, having called `onIdle`, when no message waits; rejects when `signal` fires. */
  async run(signal: AbortSignal, onIdle: () => void): Promise<void> {
    const { spool, quiet, subscription, lane } = this.#options;
    while (!signal.aborted) {
      await quiet.begin(signal);
      const next = await this.#onDisk(() => spool.next(subscription, lane, this.#after), signal);
      if (this.#after > 0 && (next === null || typeof next === "number")) {
        this.#after = 0;
        await this.#pause(pauseMs(this.#failures), signal);
        continue;
      }
      if (next === null) {
        onIdle();
        return;
      }
      this.#isIdle = typeof next === "number";
      if (typeof next === "number") await this.#pause(next, signal);
      else await this.#attempt(next, signal);
    }
  }

  async #attempt(message: SpooledMessage, signal: AbortSignal): Promise<void> {
    const { spool, quiet, subscription, endpoint, limit } = this.#options;
    const result = await this.#deliver(message, { endpoint, limit }, signal);
    signal.throwIfAborted();
    await quiet.begin(signal);
    if (!(result instanceof Error)) {
      const attempt = { state: "delivered", status: result, error: null, dueMs: 0 } as const;
      await this.#onDisk(() => spool.note(message, attempt), signal);
      if (this.#stuck !== null) this.#stuck.isPassed = true;
      [this.#failures, this.#after] = [0, 0];
      return;
    }
    const attempt = this.#failed(message, result);
    await this.#onDisk(() => spool.note(message, attempt), signal);
    if (attempt.state === "dead") {
      this.#options.counters.of(subscription).dead += 1;
      return;
    }
    this.#failures += 1;
    await this.#giveUp(result, signal);
    const isProbe = this.#after > 0;
    this.#after = this.#stuck?.number === message.number ? message.number : 0;
    if (this.#after > 0 && !isProbe) return;
    const asked = result instanceof HookFailure ? (result.retryAfterMs ?? 0) : 0;
    await this.#pause(Math.max(pauseMs(this.#failures), asked), signal);
  }

  /** When it is tried again. */
  #failed({ number, attempts }: SpooledMessage, failure: Error): Attempt {
    const { status = null, isFinal = false } = failure instanceof HookFailure ? failure : {};
    const error = failure.message.slice(0, 500);
    const again = { state: "pending", status, error, dueMs: 0 } as const;
    if (isFinal) return { ...again, state: "dead" };
    if (attempts + 1 < attemptsAtHead || this.#after > 0) return again;
    const isPassed = this.#stuck?.number === number && this.#stuck.isPassed;
    if ((status === null || awayStatuses.has(status)) && !isPassed) {
      this.#stuck = { number, isPassed: false };
      return again;
    }
    this.#stuck = null;
    return { ...again, dueMs: wallClockMs() + setAsidePauseMs };
  }

  /** The status, or why there was none that counts. */
  async #deliver(
    message: SpooledMessage,
    { endpoint, limit }: Pick<LaneOptions, "endpoint" | "limit">,
    signal: AbortSignal,
  ): Promise<number | null | Error> {
    const { counters, subscription, logger, quiet } = this.#options;
    using _turn = await limit.turn(signal, () => signal.reason as Error);
    // The turn may have come late.
    await quiet.begin(signal);
    const counts = counters.of(subscription);
    counts.attempted += 1;
    try {
      const status = await endpoint.deliver(message, signal);
      counts.delivered += 1;
      return status;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      counts.failed += 1;
      const failure = asSojournError(error);
      const { id, type, attempts } = message;
      const fields = { [endpoint.kind]: subscription, message: id, type, attempt: attempts + 1 };
      logger.warn({ ...fields, code: failure.code, reason: failure.message }, "a hook failed");
      return failure;
    }
  }

  async #giveUp(reason: Error, signal: AbortSignal): Promise<void> {
    const { spool, subscription, lane, logger, counters } = this.#options;
    const sinceMs = wallClockMs() - giveUpMs;
    // After a long downtime of this host, or of the receiver, each has its chances.
    const attempts = this.#failures >= attemptsAtHead ? 0 : attemptsAtHead;
    const work = () => spool.giveUp(subscription, lane, sinceMs, attempts);
    const dead = await this.#onDisk(work, signal);
    if (dead === 0) return;
    counters.of(subscription).dead += dead;
    logger.error(
      { webhook: subscription, messages: dead, reason: reason.message },
      "alarm: messages for this receiver were given up; they can be replayed",
    );
  }

  async #pause(pauseMs: number, signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    const either = AbortSignal.any([signal, this.#wake.signal]);
    await delay(Math.max(pauseMs, 0), either).catch(() => {});
    this.#wake = null;
  }

  /** What cannot be written down now is written later, so that nothing is sent again and again meanwhile. */
  async #onDisk<Result>(work: () => Result, signal: AbortSignal): Promise<Result> {
    const { logger, subscription } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return work();
      } catch (error) {
        const fields = { webhook: subscription, err: error };
        if (attempt === 1) logger.error(fields, "alarm: the spool of hooks cannot be used");
      }
      await delay(diskPauseMs, signal);
    }
  }
}
