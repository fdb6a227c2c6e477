import type { EchoesMessage } from "./messages.ts";

/** Answers between two batches. */
const maxBatch = 8192;

/** Collects answers in typed arrays, so that measuring makes no garbage, and sends them as one message. */
export class AnswerBatch {
  readonly #sentMs = new Float64Array(maxBatch);
  readonly #receivedMs = new Float64Array(maxBatch);
  #length = 0;

  get isFull(): boolean {
    return this.#length === maxBatch;
  }

  /** There has to be room. */
  add(sentMs: number, receivedMs: number): void {
    this.#sentMs[this.#length] = sentMs;
    this.#receivedMs[this.#length] = receivedMs;
    this.#length++;
  }

  take(nowMs: number, ownPauseMs: number, unanswered: number): EchoesMessage {
    const count = this.#length;
    this.#length = 0;
    const baseMs = Math.round(nowMs * 1000) / 1000;
    const sinceBase = (timeMs: number) => Math.round((timeMs - baseMs) * 1000);
    return {
      type: "echoes",
      at_ms: baseMs,
      base_ms: baseMs,
      own_pause_us: Math.round(ownPauseMs * 1000),
      sent_us: Array.from(this.#sentMs.subarray(0, count), sinceBase),
      received_us: Array.from(this.#receivedMs.subarray(0, count), sinceBase),
      unanswered,
    };
  }
}
