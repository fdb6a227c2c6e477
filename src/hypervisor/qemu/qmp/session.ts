import { delay } from "../../../platform/clock.ts";
import { SojournError } from "../../../platform/errors.ts";
import type { Logger } from "../../../platform/log.ts";
import { EventHub, type WaitOptions } from "../../event-hub.ts";
import type { GuestEvent } from "../../hypervisor.ts";
import type { QemuProcess } from "../qemu-process.ts";
import { QmpConnection } from "./connection.ts";

export interface QmpSessionOptions {
  guest: string;
  socketPath: string;
  process: QemuProcess;
  /** Throws when the monitor is not that of the expected guest. */
  verify: (connection: QmpConnection) => Promise<void>;
  logger: Logger;
  connectTimeoutMs?: number;
}

/** A process that dies closes its monitor a moment before it is gone. */
const dyingMs = 500;
const retryDelaysMs = [20, 50, 100, 250, 500];

/**
 * The monitor of one process for as long as that lives: a lost connection is opened and verified
 * again, listeners stay. Errors say whether the process ended (`SOJ_HYPERVISOR_GONE`) or only the
 * connection did (`SOJ_HYPERVISOR_DISCONNECTED`).
 */
export class QmpSession {
  readonly events: EventHub;
  readonly #options: QmpSessionOptions;
  readonly #disposal = new AbortController();
  #connection: QmpConnection | null = null;
  #failure: Error | null = null;
  /** What became of the process behind the latest lost connection. */
  #loss: Promise<SojournError> | null = null;

  constructor(options: QmpSessionOptions) {
    this.#options = options;
    this.events = new EventHub(options.logger);
    options.process.ended.then(() => this.events.fail(this.#gone()));
  }

  /** Connects and verifies once. @throws SojournError */
  async connect(timeoutMs = this.#options.connectTimeoutMs ?? 2000): Promise<void> {
    const { socketPath, verify, logger } = this.#options;
    try {
      const connection = await QmpConnection.open(socketPath, {
        logger,
        timeoutMs,
        onEvent: (event) => this.events.emit(event),
      });
      try {
        await verify(connection);
        this.#disposal.signal.throwIfAborted();
      } catch (error) {
        connection.close();
        throw error;
      }
      this.#connection = connection;
      this.#failure = null;
      connection.closed.then((reason) => this.#onLost(connection, reason));
    } catch (error) {
      this.#failure = error as Error;
      throw error;
    }
  }

  /** Tries to connect until it succeeds, the process has ended or the session is disposed. */
  async reconnect(): Promise<void> {
    const { process, logger, guest } = this.#options;
    for (let attempt = 0; ; attempt++) {
      if (this.#disposal.signal.aborted || !process.isAlive()) return;
      try {
        await this.connect();
        return;
      } catch (error) {
        if (attempt === 0) logger.warn({ guest, pid: process.pid, err: error }, "no monitor");
      }
      const delayMs = retryDelaysMs[Math.min(attempt, retryDelaysMs.length - 1)];
      await delay(delayMs ?? 0, this.#disposal.signal).catch(() => {});
    }
  }

  /**
   * @throws QmpCommandError when QEMU refuses the command
   * @throws SojournError `SOJ_HYPERVISOR_GONE`, `SOJ_HYPERVISOR_DISCONNECTED`, `SOJ_HYPERVISOR_TIMEOUT`
   */
  execute(command: string, args?: Record<string, unknown>, timeoutMs?: number): Promise<unknown> {
    return this.#over((connection) => connection.execute(command, args, timeoutMs));
  }

  /** As `execute`, not held up by QEMU's main loop (`QmpConnection.executeOutOfBand`). */
  executeOutOfBand(
    command: string,
    args?: Record<string, unknown>,
    timeoutMs?: number,
  ): Promise<unknown> {
    return this.#over((connection) => connection.executeOutOfBand(command, args, timeoutMs));
  }

  /** As `EventHub.wait`; fails also when the connection or the process ends. */
  wait(
    description: string,
    matches: (event: GuestEvent) => boolean,
    options: WaitOptions,
  ): Promise<GuestEvent> {
    const waiting = this.#options.process.isAlive()
      ? this.events.wait(description, matches, options)
      : Promise.reject(this.#gone());
    // Whoever waits may fail before it gets to awaiting this: then nobody minds.
    waiting.catch(() => {});
    return waiting;
  }

  dispose(): void {
    this.#disposal.abort();
    this.#connection?.close();
    this.#connection = null;
    this.events.fail(this.#disconnected());
  }

  async #over(ask: (connection: QmpConnection) => Promise<unknown>): Promise<unknown> {
    const connection = this.#connection;
    if (connection === null) throw await this.#absence();
    try {
      return await ask(connection);
    } catch (error) {
      if (!isConnectionEnd(error)) throw error;
      await connection.closed;
      throw (await this.#loss) ?? this.#disconnected(error);
    }
  }

  #onLost(connection: QmpConnection, reason: Error): void {
    if (this.#connection === connection) this.#connection = null;
    this.#failure = reason;
    if (this.#disposal.signal.aborted) return;
    this.#loss = this.#explainLoss(reason);
  }

  async #explainLoss(reason: Error): Promise<SojournError> {
    const { process, logger, guest } = this.#options;
    if (await process.waitForEnd(dyingMs, this.#disposal.signal)) return this.#gone(reason);
    const error = this.#disconnected(reason);
    logger.warn({ guest, pid: process.pid, err: reason }, "monitor connection lost");
    this.events.fail(error);
    void this.reconnect();
    return error;
  }

  async #absence(): Promise<SojournError> {
    await this.#loss;
    if (!this.#options.process.isAlive()) return this.#gone();
    const failure = this.#failure;
    if (failure instanceof SojournError && failure.code === "SOJ_HYPERVISOR_WRONG_GUEST") {
      return failure;
    }
    return this.#disconnected(failure);
  }

  #gone(cause?: unknown): SojournError {
    const { guest, process } = this.#options;
    return new SojournError(
      "SOJ_HYPERVISOR_GONE",
      `QEMU process ${process.pid} of guest ${guest} has ended`,
      { cause },
    );
  }

  #disconnected(cause?: unknown): SojournError {
    const { guest, process } = this.#options;
    return new SojournError(
      "SOJ_HYPERVISOR_DISCONNECTED",
      `QEMU process ${process.pid} of guest ${guest} lives, but there is no connection to its monitor`,
      {
        cause,
        retryable: true,
        hint: "the connection is being opened again; the guest was not touched",
      },
    );
  }
}

function isConnectionEnd(error: unknown): boolean {
  return (
    error instanceof SojournError &&
    (error.code === "SOJ_QMP_CLOSED" || error.code === "SOJ_QMP_PROTOCOL")
  );
}
