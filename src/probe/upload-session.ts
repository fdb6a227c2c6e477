import { monotonicMs } from "../platform/clock.ts";
import type { BytesMessage } from "./messages.ts";
import type { Session, SessionEvents, SessionOptions } from "./session.ts";
import { SessionSocket } from "./session-socket.ts";
import { StreamBuckets } from "./stream-buckets.ts";
import { bucketMs } from "./stream-session.ts";
import { Ticker } from "./ticker.ts";

const block = Buffer.alloc(64 * 1024, "sojourn ");
/** How much of an unused allowance is kept; more would end every pause with a burst. */
const allowanceMs = 10;

/**
 * An upload to a discard service (RFC 863), without a limit as fast as it goes. The series counts what the peer
 * has acknowledged (tcpi_bytes_acked, RFC 4898), asked of the kernel every `intervalMs`: what the kernel has
 * merely accepted says nothing about the path, since its send buffer hides an outage. A hole is therefore known
 * to one interval at each of its ends. Nobody compares the bytes; TCP's checksum is all there is.
 */
export class UploadSession implements Session {
  readonly #buckets = new StreamBuckets(bucketMs);
  readonly #session: SessionSocket;
  readonly #ticker: Ticker;
  readonly #bytesPerMs: number;
  readonly #send: (message: BytesMessage) => void;
  #acked: number | null = null;
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
    this.#ticker = new Ticker(options.intervalMs, (nowMs) => {
      this.#write(nowMs);
      void this.#look();
    });
    const stopping: SessionEvents = {
      ...events,
      broken: (reason, message) => {
        this.#ticker.stop();
        events.broken(reason, message);
      },
    };
    const onConnected = () => {
      this.#write(monotonicMs());
      this.#ticker.start();
    };
    this.#session = new SessionSocket(options, stopping, onConnected, () => true);
    this.#session.socket.on("drain", () => this.#write(monotonicMs()));
  }

  flush(nowMs: number, isLast: boolean): void {
    const ownPauseMs = this.#ticker.takeLongestDelayMs();
    for (const series of this.#buckets.take(nowMs, isLast)) {
      const own_pause_us = Math.round(ownPauseMs * 1000);
      this.#send({ type: "bytes", at_ms: nowMs, own_pause_us, ...series });
    }
  }

  async stop(): Promise<void> {
    this.#ticker.stop();
    await this.#look();
    this.#session.end();
  }

  totals(): { answers: number; bytes: number } {
    return { answers: 0, bytes: this.#bytes };
  }

  #write(nowMs: number): void {
    const { socket } = this.#session;
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY) {
      while (!socket.writableNeedDrain && !socket.destroyed) socket.write(block);
      return;
    }
    const sinceMs = this.#refilledMs === 0 ? allowanceMs : nowMs - this.#refilledMs;
    this.#refilledMs = nowMs;
    const most = this.#bytesPerMs * allowanceMs;
    this.#allowance = Math.min(most, this.#allowance + this.#bytesPerMs * sinceMs);
    while (this.#allowance >= 1 && !socket.writableNeedDrain && !socket.destroyed) {
      const count = Math.min(block.length, Math.floor(this.#allowance));
      this.#allowance -= count;
      socket.write(block.subarray(0, count));
    }
  }

  async #look(): Promise<void> {
    const info = await this.#session.readKernel();
    if (info === null) return;
    const acked = info.bytesAcked - (this.#acked ?? info.bytesAcked);
    this.#acked = info.bytesAcked;
    if (acked <= 0) return;
    this.#bytes += acked;
    this.#session.becomeReady();
    this.#buckets.add(monotonicMs(), acked);
  }
}
