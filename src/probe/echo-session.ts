import { randomInt } from "node:crypto";
import { monotonicMs } from "../platform/clock.ts";
import { AnswerBatch } from "./answer-batch.ts";
import { EchoVerifier, echoMessageBytes, writeEchoMessage } from "./echo-codec.ts";
import type { EchoesMessage } from "./messages.ts";
import type { Session, SessionEvents, SessionOptions } from "./session.ts";
import { SessionSocket } from "./session-socket.ts";
import { Ticker } from "./ticker.ts";

/** Requests in flight whose send times are kept; further ones wait, which a silence of minutes reaches. */
const maxUnanswered = 1 << 16;

/**
 * Paced requests on one session to an echo service (RFC 862). A request goes out when it is due, also
 * while earlier ones are unanswered, so that the end of an outage is seen by the peer's own
 * retransmission and not by ours alone.
 */
export class EchoSession implements Session {
  readonly #verifier: EchoVerifier;
  readonly #nonce = randomInt(0x1_0000_0000);
  readonly #sentMs = new Float64Array(maxUnanswered);
  readonly #batch = new AnswerBatch();
  readonly #session: SessionSocket;
  readonly #ticker: Ticker;
  readonly #send: (message: EchoesMessage) => void;
  #requests = 0;
  #bytes = 0;

  constructor(
    options: SessionOptions,
    events: SessionEvents,
    send: (message: EchoesMessage) => void,
  ) {
    this.#send = send;
    this.#verifier = new EchoVerifier(this.#nonce);
    this.#ticker = new Ticker(options.intervalMs, (nowMs) => this.#request(nowMs));
    const onConnected = () => {
      this.#request(monotonicMs());
      this.#ticker.start();
    };
    const stopping: SessionEvents = {
      ...events,
      broken: (reason, message) => {
        this.#ticker.stop();
        events.broken(reason, message);
      },
    };
    this.#session = new SessionSocket(options, stopping, onConnected, (bytes) =>
      this.#receive(bytes),
    );
  }

  flush(nowMs: number): void {
    const unanswered = this.#requests - this.#verifier.nextSequence;
    this.#send(this.#batch.take(nowMs, this.#ticker.takeLongestDelayMs(), unanswered));
    void this.#session.readKernel();
  }

  async stop(): Promise<void> {
    this.#ticker.stop();
    await this.#session.readKernel();
    this.#session.end();
  }

  totals(): { answers: number; bytes: number } {
    return { answers: this.#verifier.nextSequence, bytes: this.#bytes };
  }

  #request(nowMs: number): void {
    if (this.#requests - this.#verifier.nextSequence >= maxUnanswered) return;
    const message = Buffer.allocUnsafe(echoMessageBytes);
    writeEchoMessage(message, 0, this.#nonce, this.#requests);
    this.#sentMs[this.#requests % maxUnanswered] = nowMs;
    this.#requests++;
    this.#session.socket.write(message);
  }

  #receive(bytes: Buffer): boolean {
    const nowMs = monotonicMs();
    const first = this.#verifier.nextSequence;
    this.#bytes += bytes.length;
    const isRight = this.#verifier.accept(bytes);
    const end = this.#verifier.nextSequence;
    if (end > this.#requests || !isRight) {
      this.#session.reject(`the answer to request ${end} is not what was sent`);
      return false;
    }
    for (let sequence = first; sequence < end; sequence++) {
      if (this.#batch.isFull) this.flush(nowMs);
      this.#batch.add(this.#sentMs[sequence % maxUnanswered] as number, nowMs);
    }
    if (end > first) this.#session.becomeReady();
    return true;
  }
}
