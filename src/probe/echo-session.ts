import { randomInt } from "node:crypto";
import { monotonicMs } from "../platform/clock.ts";
import { AnswerBatch } from "./answer-batch.ts";
import { EchoVerifier, echoMessageBytes, writeEchoMessage } from "./echo-codec.ts";
import type { EchoesMessage } from "./messages.ts";
import type { Session, SessionEvents, SessionOptions } from "./session.ts";
import { SessionSocket } from "./session-socket.ts";
import { Ticker } from "./ticker.ts";

/**
 * An interactive session with an echo service (RFC 862): a paced request, and the next one not before the answer,
 * like somebody who types and waits for the echo. A request that is lost is therefore followed by nothing that
 * would have it sent again early: its retransmission timer (RFC 6298) is part of the outage, as it is for such users.
 */
export class EchoSession implements Session {
  readonly #verifier: EchoVerifier;
  readonly #nonce = randomInt(0x1_0000_0000);
  readonly #batch = new AnswerBatch();
  readonly #session: SessionSocket;
  readonly #ticker: Ticker;
  readonly #send: (message: EchoesMessage) => void;
  #requests = 0;
  #sentMs = 0;
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
    if (this.#requests > this.#verifier.nextSequence) return;
    const message = Buffer.allocUnsafe(echoMessageBytes);
    writeEchoMessage(message, 0, this.#nonce, this.#requests);
    this.#sentMs = nowMs;
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
    if (end === first) return true;
    if (this.#batch.isFull) this.flush(nowMs);
    this.#batch.add(this.#sentMs, nowMs);
    this.#session.becomeReady();
    return true;
  }
}
