import { delay, wallClockMs } from "../../platform/clock.ts";
import { asSojournError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import { longestPauseMs, pauseMs } from "./backoff.ts";
import type { ConcurrencyLimit } from "./concurrency-limit.ts";
import type { HookEndpoint } from "./endpoint.ts";
import { HookFailure } from "./failure.ts";
import type { DeliveryCounters } from "./figures.ts";
import type { QuietTimes } from "./quiet-times.ts";
import type { Attempt, Spool } from "./spool.ts";
import type { SpooledMessage } from "./spool-rows.ts";

/** A message that is not received for so long is given up. */
const giveUpMs = 24 * 3_600_000;

/** Failures in a row before anything is given up: after a long downtime of this host each has its chances. */
const failuresBeforeGivingUp = 8;

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
 * Delivers one lane's messages one after the other. A message that fails is tried again before any other, until it has
 * failed so often that those behind it go first; its own next attempts come later.
 */
export class Lane {
  readonly #options: LaneOptions;
  #failures = 0;
  #wake: AbortController | null = null;
  #isIdle = false;

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
      const next = await this.#onDisk(() => spool.next(subscription, lane), signal);
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
    const { spool, quiet, subscription, lane, endpoint, limit } = this.#options;
    const result = await this.#deliver(message, { endpoint, limit }, signal);
    signal.throwIfAborted();
    await quiet.begin(signal);
    if (!(result instanceof Error)) {
      const attempt = { state: "delivered", status: result, error: null, dueMs: 0 } as const;
      await this.#onDisk(() => spool.note(message, attempt), signal);
      if (this.#failures > 0) {
        await this.#onDisk(() => spool.hasRecovered(subscription, lane), signal);
      }
      this.#failures = 0;
      return;
    }
    await this.#onDisk(() => spool.note(message, failedAttempt(message, result)), signal);
    if (isFinal(result)) {
      this.#options.counters.of(subscription).dead += 1;
      return;
    }
    this.#failures += 1;
    if (this.#failures >= failuresBeforeGivingUp) await this.#giveUp(result, signal);
    const asked = result instanceof HookFailure ? (result.retryAfterMs ?? 0) : 0;
    await this.#pause(Math.max(pauseMs(this.#failures), asked), signal);
  }

  /** The status, or why there was none that counts. */
  async #deliver(
    message: SpooledMessage,
    { endpoint, limit }: Pick<LaneOptions, "endpoint" | "limit">,
    signal: AbortSignal,
  ): Promise<number | null | Error> {
    const { counters, subscription, logger } = this.#options;
    using _turn = await limit.turn(signal, () => signal.reason as Error);
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
    const dead = await this.#onDisk(() => spool.giveUp(subscription, lane, sinceMs), signal);
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
    await delay(Math.min(Math.max(pauseMs, 0), longestPauseMs), either).catch(() => {});
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

function isFinal(failure: Error): boolean {
  return failure instanceof HookFailure && failure.isFinal;
}

/** It is the first of its lane again, until it has failed often: then it waits for a time of its own. */
function failedAttempt({ attempts }: SpooledMessage, failure: Error): Attempt {
  return {
    state: isFinal(failure) ? "dead" : "pending",
    status: failure instanceof HookFailure ? failure.status : null,
    error: failure.message.slice(0, 500),
    dueMs: wallClockMs() + pauseMs(attempts + 1),
  };
}
