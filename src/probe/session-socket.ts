import { connect, type Socket } from "node:net";
import { monotonicMs } from "../platform/clock.ts";
import type { BreakReason } from "./series.ts";
import type { NoSessionReason, SessionEvents, SessionOptions } from "./session.ts";
import type { TcpInfo } from "./tcp-info.ts";
import { TcpWatch } from "./tcp-watch.ts";

/** The largest read; one buffer for all of them, so that a fast stream makes no garbage. */
export const readBufferBytes = 256 * 1024;
/** With a limit: small reads come evenly, and make the kernel's receive buffer grow less. */
const limitedReadBufferBytes = 8 * 1024;

/**
 * One TCP session and its life: unreachable or silent before the first answer, ready after it, and
 * broken at most once.
 */
export class SessionSocket {
  readonly socket: Socket;
  readonly #events: SessionEvents;
  readonly #patience: NodeJS.Timeout;
  #state: "starting" | "ready" | "ended" = "starting";
  #watch: TcpWatch | null = null;
  #known: TcpInfo | null = null;

  /** @param onBytes given a view of a buffer that the next read overwrites; false stops reading */
  constructor(
    options: SessionOptions,
    events: SessionEvents,
    onConnected: () => void,
    onBytes: (bytes: Buffer) => boolean,
  ) {
    const { host, port, connectTimeoutMs, maxMbps } = options;
    const buffer = Buffer.allocUnsafe(maxMbps === null ? readBufferBytes : limitedReadBufferBytes);
    this.#events = events;
    this.socket = connect({
      host,
      port,
      noDelay: true,
      onread: { buffer, callback: (count) => onBytes(buffer.subarray(0, count)) },
    });
    this.socket.on("connect", () => {
      this.#watch = new TcpWatch(this.socket);
      void this.readKernel();
      onConnected();
    });
    this.socket.on("error", (error) => this.#fail("failed", error.message));
    this.socket.on("end", () => this.#fail("closed", "the peer closed the session"));
    this.socket.on("close", () => this.#fail("closed", "the session is closed"));
    this.#patience = setTimeout(
      () => this.refuse("silent", `no answer within ${connectTimeoutMs} ms`),
      connectTimeoutMs,
    );
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** The first answer is there. */
  becomeReady(): void {
    if (this.#state !== "starting") return;
    clearTimeout(this.#patience);
    this.#state = "ready";
    this.#events.ready(monotonicMs());
  }

  /** Ends a session that is not what it should be before it was ready. */
  refuse(reason: NoSessionReason, message: string): void {
    if (this.#state !== "starting") return;
    this.end();
    this.#events.noSession(reason, message);
  }

  /** Ends a session whose bytes are not right. */
  reject(message: string): void {
    if (this.#state === "starting") this.refuse("wrong-service", message);
    else this.#fail("mismatch", message);
  }

  /** Asks the kernel about the session and reports what has changed; null when it does not answer. */
  async readKernel(): Promise<TcpInfo | null> {
    const info = (await this.#watch?.read()) ?? null;
    if (info === null || this.#state === "ended") return null;
    const known = this.#known;
    this.#known = info;
    if (info.retransmissions !== known?.retransmissions || info.rto !== known.rto) {
      this.#events.kernel(info);
    }
    return info;
  }

  /** Ends the session on our side; nothing is reported. */
  end(): void {
    clearTimeout(this.#patience);
    this.#state = "ended";
    this.#watch?.[Symbol.dispose]();
    this.socket.destroy();
  }

  #fail(reason: BreakReason, message: string): void {
    if (this.#state === "ended") return;
    const wasReady = this.isReady;
    this.end();
    if (wasReady) this.#events.broken(reason, message);
    else this.#events.noSession("unreachable", message);
  }
}
