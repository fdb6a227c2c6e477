import { monotonicMs } from "../platform/clock.ts";
import { AnswerBatch } from "./answer-batch.ts";
import { GuestWatch } from "./guest-watch.ts";
import { type HttpAnswer, HttpAnswerReader } from "./http-answers.ts";
import type { ProberMessage } from "./messages.ts";
import type { Session, SessionEvents, SessionOptions } from "./session.ts";
import { SessionSocket } from "./session-socket.ts";
import { Ticker } from "./ticker.ts";

/**
 * GET requests on one kept connection (RFC 9112, section 9.3), one at a time: the next goes out when it is due
 * and the last one is answered. A server that announces the connection's end gets a new one; an end that was not
 * announced breaks the session.
 */
export class HttpSession implements Session {
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #send: (message: ProberMessage) => void;
  readonly #batch = new AnswerBatch();
  readonly #guest = new GuestWatch();
  readonly #ticker: Ticker;
  #connection: SessionSocket;
  #reader = new HttpAnswerReader();
  #asked: { path: string; sentMs: number } | null = null;
  #isReady = false;
  #isConnected = false;
  #isDue = false;
  #answers = 0;
  #bytes = 0;
  #statusErrors = 0;
  /** Totals of the connections that have ended in order, and of the present one. */
  readonly #retransmissions = { before: 0, connection: 0 };
  readonly #rto = { before: 0, connection: 0 };

  constructor(
    options: SessionOptions,
    events: SessionEvents,
    send: (message: ProberMessage) => void,
  ) {
    this.#options = options;
    this.#events = events;
    this.#send = send;
    this.#ticker = new Ticker(options.intervalMs, () => {
      this.#isDue = true;
      this.#request();
    });
    this.#connection = this.#connect();
  }

  flush(nowMs: number): void {
    const ownPauseMs = this.#ticker.takeLongestDelayMs();
    this.#send(this.#batch.take(nowMs, ownPauseMs, this.#asked === null ? 0 : 1));
    this.#send({ type: "statuses", at_ms: nowMs, errors: this.#statusErrors });
    void this.#connection.readKernel();
  }

  async stop(): Promise<void> {
    this.#ticker.stop();
    await this.#connection.readKernel();
    this.#connection.end();
  }

  totals(): { answers: number; bytes: number } {
    return { answers: this.#answers, bytes: this.#bytes };
  }

  #connect(): SessionSocket {
    const events: SessionEvents = {
      ready: (atMs) => {
        if (!this.#isReady) this.#events.ready(atMs);
        this.#isReady = true;
      },
      kernel: (info) => {
        this.#retransmissions.connection = info.retransmissions;
        const retransmissions = this.#retransmissions.before + info.retransmissions;
        const rto = info.rto === null ? null : this.#rto.before + info.rto;
        this.#rto.connection = info.rto ?? 0;
        this.#events.kernel({ ...info, retransmissions, rto });
      },
      broken: (reason, message) => {
        this.#ticker.stop();
        this.#events.broken(reason, message);
      },
      noSession: (reason, message) => {
        if (!this.#isReady) this.#events.noSession(reason, message);
        else events.broken("failed", `no new connection: ${message}`);
      },
    };
    const onConnected = () => {
      this.#isConnected = true;
      this.#isDue = true;
      this.#request();
      if (!this.#isReady) this.#ticker.start();
    };
    return new SessionSocket(this.#options, events, onConnected, (bytes) => this.#receive(bytes));
  }

  #request(): void {
    if (!this.#isDue || !this.#isConnected || this.#asked !== null) return;
    this.#isDue = false;
    const sentMs = monotonicMs();
    const path = this.#guest.nextPage(sentMs) ?? "/";
    this.#asked = { path, sentMs };
    const { host, port } = this.#options;
    const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    this.#connection.socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: sojourn-probe\r\n\r\n`,
    );
  }

  #receive(bytes: Buffer): boolean {
    const nowMs = monotonicMs();
    this.#bytes += bytes.length;
    const answers = this.#reader.push(bytes);
    if (answers === null || answers.length > (this.#asked === null ? 0 : 1)) {
      this.#connection.reject("what came is not the answer to an HTTP request");
      return false;
    }
    const [answer] = answers;
    if (answer !== undefined) this.#accept(answer, nowMs);
    return true;
  }

  #accept(answer: HttpAnswer, nowMs: number): void {
    const { path, sentMs } = this.#asked ?? { path: "/", sentMs: nowMs };
    this.#asked = null;
    this.#answers++;
    this.#connection.becomeReady();
    if (this.#batch.isFull) this.flush(nowMs);
    this.#batch.add(sentMs, nowMs);
    if (path === "/") {
      if (answer.status >= 400) this.#statusErrors++;
    } else {
      const reading = this.#guest.accept(path, answer, sentMs, nowMs);
      if (reading !== null) this.#send({ type: "guest", ...reading });
    }
    if (answer.closes) this.#reconnect();
    else this.#request();
  }

  #reconnect(): void {
    this.#isConnected = false;
    this.#connection.end();
    for (const total of [this.#retransmissions, this.#rto]) {
      total.before += total.connection;
      total.connection = 0;
    }
    this.#reader = new HttpAnswerReader();
    this.#connection = this.#connect();
  }
}
