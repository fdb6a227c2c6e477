import { connect as connectSocket, type Socket } from "node:net";
import { monotonicMs, startTimer } from "../../../platform/clock.ts";
import { LineSplitter } from "../../../platform/line-splitter.ts";
import type { Logger } from "../../../platform/log.ts";
import type { GuestEvent } from "../../hypervisor.ts";
import { CommandWindow } from "./command-window.ts";
import {
  QmpCommandError,
  qmpBusyError,
  qmpClosedError,
  qmpProtocolError,
  qmpTimeoutError,
} from "./errors.ts";
import { parseMessage, type QmpMessage } from "./messages.ts";

/** Longest line that is taken from a monitor. */
const longestLineBytes = 10 * 1024 * 1024;
/**
 * QEMU queues 8 commands (QMP_REQ_QUEUE_LEN_MAX in monitor/monitor-internal.h) and reads none beyond them: those out of
 * band would then wait with the others.
 */
const mostUnanswered = 6;

export interface QmpConnectionOptions {
  logger: Logger;
  onEvent: (event: GuestEvent) => void;
  /** Time for connecting, greeting and capabilities together. */
  timeoutMs?: number;
}

interface PendingCommand {
  command: string;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/**
 * One connection to a QMP monitor (QMP specification, `docs/interop/qmp-spec.rst`). Commands may run
 * concurrently; each has its own id, and those out of band may overtake the others. When the connection ends, everything
 * pending fails.
 */
export class QmpConnection {
  readonly path: string;
  /** Resolves, never rejects, with the reason once the connection has ended. */
  readonly closed: Promise<Error>;
  readonly #socket: Socket;
  readonly #options: QmpConnectionOptions;
  readonly #lines = new LineSplitter(longestLineBytes, qmpProtocolError);
  readonly #pending = new Map<number, PendingCommand>();
  readonly #window = new CommandWindow(mostUnanswered);
  readonly #greeting = Promise.withResolvers<readonly string[]>();
  readonly #closed = Promise.withResolvers<Error>();
  #nextId = 1;
  #takesOutOfBand = false;
  #closeReason: Error | null = null;

  /**
   * Connects, awaits the greeting and leaves negotiation mode (`qmp_capabilities`).
   * @throws SojournError `SOJ_QMP_CLOSED`, `SOJ_QMP_PROTOCOL`, `SOJ_HYPERVISOR_TIMEOUT`
   */
  static async open(path: string, options: QmpConnectionOptions): Promise<QmpConnection> {
    const connection = new QmpConnection(path, options);
    const timeoutMs = options.timeoutMs ?? 5000;
    const timer = startTimer(
      () => connection.close(qmpTimeoutError("the connection", timeoutMs)),
      timeoutMs,
    );
    try {
      await connection.#negotiate(await connection.#greeting.promise);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      timer.cancel();
    }
  }

  private constructor(path: string, options: QmpConnectionOptions) {
    this.path = path;
    this.#options = options;
    this.closed = this.#closed.promise;
    this.#socket = connectSocket({ path });
    this.#socket.on("data", (chunk) => this.#receive(chunk));
    this.#socket.on("error", (error) => this.close(qmpClosedError(path, error)));
    this.#socket.on("close", () => this.close());
  }

  /**
   * Sends a command and awaits its reply.
   * @throws QmpCommandError when QEMU refuses it
   * @throws SojournError `SOJ_QMP_CLOSED`, `SOJ_QMP_PROTOCOL`, `SOJ_HYPERVISOR_TIMEOUT`
   */
  execute(command: string, args?: Record<string, unknown>, timeoutMs = 10_000): Promise<unknown> {
    if (this.#closeReason !== null) return Promise.reject(this.#closeReason);
    const { id, reply } = this.#expect(command, timeoutMs);
    this.#window.admit(id, () => this.#send({ execute: command, ...argumentsOf(args), id }));
    return reply;
  }

  /**
   * As `execute`, but carried out at once, also while QEMU's main loop hangs (QMP specification, section 2.3.1). Only some
   * commands can be; in a monitor that takes none of them they are carried out like all others.
   */
  executeOutOfBand(
    command: string,
    args?: Record<string, unknown>,
    timeoutMs = 10_000,
  ): Promise<unknown> {
    if (!this.#takesOutOfBand) return this.execute(command, args, timeoutMs);
    if (this.#closeReason !== null) return Promise.reject(this.#closeReason);
    const { id, reply } = this.#expect(command, timeoutMs);
    this.#send({ "exec-oob": command, ...argumentsOf(args), id });
    return reply;
  }

  /** Ends the connection; what is pending fails with `reason`. */
  close(reason: Error = qmpClosedError(this.path)): void {
    if (this.#closeReason !== null) return;
    this.#closeReason = reason;
    this.#socket.destroy();
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
    this.#greeting.promise.catch(() => {});
    this.#greeting.reject(reason);
    this.#closed.resolve(reason);
  }

  async #negotiate(offered: readonly string[]): Promise<void> {
    const enable = offered.filter((capability) => capability === "oob");
    await this.execute("qmp_capabilities", enable.length > 0 ? { enable } : undefined);
    this.#takesOutOfBand = enable.length > 0;
  }

  #expect(command: string, timeoutMs: number): { id: number; reply: Promise<unknown> } {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = startTimer(() => {
      this.#pending.delete(id);
      const wasKeptBack = this.#window.withdraw(id);
      reject((wasKeptBack ? qmpBusyError : qmpTimeoutError)(command, timeoutMs));
    }, timeoutMs);
    this.#pending.set(id, { command, resolve, reject });
    return { id, reply: promise.finally(() => timer.cancel()) };
  }

  #send(message: Record<string, unknown>): void {
    this.#socket.write(`${JSON.stringify(message)}\r\n`);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const line of this.#lines.push(chunk)) {
        if (this.#closeReason !== null) return;
        if (line !== "") this.#dispatch(parseMessage(line));
      }
    } catch (error) {
      this.close(error as Error);
    }
  }

  #dispatch(message: QmpMessage): void {
    if (message.kind === "event") {
      const { name, data, timestampMs } = message;
      this.#options.onEvent({ name, data, timestampMs, receivedMs: monotonicMs() });
    } else if (message.kind === "greeting") {
      this.#greeting.resolve(message.capabilities);
    } else {
      this.#settle(message);
    }
  }

  #settle(message: Extract<QmpMessage, { kind: "return" | "error" }>): void {
    const { id } = message;
    if (typeof id !== "number") {
      const what = message.kind === "error" ? `: ${message.description}` : "";
      throw qmpProtocolError(`a reply without a command's id${what}`);
    }
    const pending = this.#pending.get(id);
    if (pending === undefined) {
      if (id >= this.#nextId || id < 1) throw qmpProtocolError(`a reply to unknown command ${id}`);
      this.#window.answered(id);
      this.#options.logger.warn({ qmp_id: id }, "late reply of the monitor ignored");
      return;
    }
    this.#pending.delete(id);
    this.#window.answered(id);
    if (message.kind === "return") pending.resolve(message.value);
    else {
      const { errorClass, description } = message;
      pending.reject(new QmpCommandError(pending.command, errorClass, description));
    }
  }
}

function argumentsOf(args: Record<string, unknown> | undefined) {
  return args === undefined ? {} : { arguments: args };
}
