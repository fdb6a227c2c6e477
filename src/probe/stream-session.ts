import { monotonicMs } from "../platform/clock.ts";
import type { BytesMessage } from "./messages.ts";
import { PatternFollower } from "./pattern.ts";
import type { Session, SessionEvents, SessionOptions } from "./session.ts";
import { readBufferBytes, SessionSocket } from "./session-socket.ts";
import { StreamBuckets } from "./stream-buckets.ts";
import { Ticker } from "./ticker.ts";

/** Width of a bucket of the series. */
export const bucketMs = 10;
/** How often a limited download gets its allowance; each tick without one is a small hole. */
const refillIntervalMs = 5;
/** How much of an unused allowance is kept; more would end every pause with a burst. */
const allowanceMs = 10;

/**
 * A download from a character generator (RFC 864), every byte compared. Without a limit it is read as
 * fast as it comes. With `maxMbps`, bytes wait in the socket's receive buffer, and a hole is shortened
 * by what waits there: small reads keep that to some ten milliseconds, but not to nothing.
 */
export class StreamSession implements Session {
  readonly #follower = new PatternFollower(readBufferBytes);
  readonly #buckets = new StreamBuckets(bucketMs);
  readonly #session: SessionSocket;
  readonly #ticker: Ticker;
  readonly #bytesPerMs: number;
  readonly #send: (message: BytesMessage) => void;
  #bytes = 0;
  #allowance = 0;
  #refilledMs = 0;

  constructor(
    options: SessionOptions,
    events: SessionEvents,
    send: (message: BytesMessage) => void,
  ) {
    this.#send = send;
    this.#bytesPerMs = options.maxMbps === null ? Number.POSITIVE_INFINITY : options.maxMbps * 125;
    this.#ticker = new Ticker(refillIntervalMs, (nowMs) => this.#refill(nowMs));
    this.#session = new SessionSocket(
      options,
      events,
      () => this.#ticker.start(),
      (bytes) => this.#receive(bytes),
    );
  }

  flush(nowMs: number, isLast: boolean): void {
    const ownPauseMs = this.#ticker.takeLongestDelayMs();
    for (const series of this.#buckets.take(nowMs, isLast)) {
      this.#send({
        type: "bytes",
        at_ms: nowMs,
        own_pause_us: Math.round(ownPauseMs * 1000),
        ...series,
      });
    }
    void this.#session.readKernel();
  }

  async stop(): Promise<void> {
    this.#ticker.stop();
    await this.#session.readKernel();
    this.#session.end();
  }

  totals(): { answers: number; bytes: number } {
    return { answers: 0, bytes: this.#bytes };
  }

  #receive(bytes: Buffer): boolean {
    const nowMs = monotonicMs();
    if (!this.#follower.accept(bytes)) {
      this.#session.reject(`after ${this.#bytes} bytes the pattern of RFC 864 does not continue`);
      return false;
    }
    this.#bytes += bytes.length;
    if (!this.#follower.isSynchronized) return true;
    this.#session.becomeReady();
    this.#buckets.add(nowMs, bytes.length);
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY) return true;
    this.#allowance -= bytes.length;
    return this.#allowance > 0;
  }

  #refill(nowMs: number): void {
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY) return;
    const sinceMs = this.#refilledMs === 0 ? allowanceMs : nowMs - this.#refilledMs;
    this.#refilledMs = nowMs;
    const limit = this.#bytesPerMs * allowanceMs;
    this.#allowance = Math.min(limit, this.#allowance + this.#bytesPerMs * sinceMs);
    if (this.#allowance > 0) this.#session.socket.resume();
  }
}
