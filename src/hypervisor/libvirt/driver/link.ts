import { delay } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/log.ts";
import { retry } from "../../../platform/retry.ts";
import type { CallOptions } from "../rpc/calls.ts";
import { LibvirtConnection } from "../rpc/connection.ts";
import { type LifecycleMessage, lifecycleEvent } from "../rpc/events/domain-events.ts";
import type { MonitorMessage } from "../rpc/events/monitor-event.ts";
import type { Procedure } from "../rpc/procedure.ts";
import { disconnectedError, isConnectionEnd } from "./errors.ts";

export interface LinkOptions {
  logger: Logger;
  /** Without it the system's. */
  sockets?: readonly string[];
  onLifecycle: (message: LifecycleMessage) => void;
  onMonitor: (message: MonitorMessage, receivedMs: number) => void;
  /** There is a connection (again), and its events come: what was missed has to be asked for. */
  onConnected: (isFirst: boolean) => Promise<void>;
  /** There is none any more. */
  onLost: (reason: Error) => void;
}

/** How long who asks for something waits for the very first connection. */
const firstConnectionMs = 2_000;

/**
 * The connection of this host's guests to libvirt, for questions, orders and events. It is opened again, less and less
 * often, whenever it is lost; streams have connections of their own.
 */
export class LibvirtLink implements AsyncDisposable {
  readonly #options: LinkOptions;
  readonly #disposal = new AbortController();
  #started: Promise<void> | null = null;
  #connection: LibvirtConnection | null = null;
  #failure: unknown = null;
  #wasConnected = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.#connection !== null;
  }

  get isDisposed(): boolean {
    return this.#disposal.signal.aborted;
  }

  /** Of libvirt's folder under /run; null while there is no connection. */
  get socketPath(): string | null {
    return this.#connection?.path ?? null;
  }

  /** libvirt's own version; null while there is no connection. */
  get version(): string | null {
    return this.#connection?.facts.version ?? null;
  }

  /** Resolves with the first connection, or the failure of the first try, or after a while. */
  async start(): Promise<void> {
    this.#started ??= this.#connectFirst();
    await this.#started;
  }

  /**
   * Asks libvirt for something.
   * @throws LibvirtCallError when libvirt refuses it
   * @throws SojournError `SOJ_HYPERVISOR_DISCONNECTED`, `SOJ_HYPERVISOR_TIMEOUT`, `SOJ_LIBVIRT_ARGUMENT`,
   * `SOJ_LIBVIRT_BUSY`; the signal's reason
   */
  async call<Arguments, Reply>(
    procedure: Procedure<Arguments, Reply>,
    args: Arguments,
    options?: CallOptions,
  ): Promise<Reply> {
    if (this.#connection === null) await this.start();
    const connection = this.#connection;
    if (connection === null) throw disconnectedError(this.#failure);
    try {
      return await connection.call(procedure, args, options);
    } catch (error) {
      throw isConnectionEnd(error) ? disconnectedError(error) : error;
    }
  }

  /** Another connection, which the caller owns. @throws SojournError `SOJ_HYPERVISOR_DISCONNECTED`; `SOJ_LIBVIRT_…` */
  async open(): Promise<LibvirtConnection> {
    try {
      return await LibvirtConnection.open(this.#connectionOptions());
    } catch (error) {
      throw isConnectionEnd(error) ? disconnectedError(error) : error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposal.abort(disconnectedError(null));
    await this.#connection?.[Symbol.asyncDispose]();
    this.#connection = null;
  }

  #connectFirst(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    void this.#connect(resolve).then(resolve);
    delay(firstConnectionMs, this.#disposal.signal).then(resolve, resolve);
    return promise;
  }

  /** Tries until it succeeds or is disposed of. */
  async #connect(onFailure: () => void = () => {}): Promise<void> {
    const { logger } = this.#options;
    let isLogged = false;
    await retry(() => this.#connectOnce(), {
      pauseMs: 100,
      longestPauseMs: 2_000,
      signal: this.#disposal.signal,
      onFailure: (error) => {
        this.#failure = error;
        if (!isLogged) logger.warn({ err: error }, "no connection to libvirt");
        isLogged = true;
        onFailure();
      },
    }).catch(() => {});
  }

  async #connectOnce(): Promise<void> {
    const { onLifecycle, onMonitor, onConnected } = this.#options;
    const connection = await LibvirtConnection.open(this.#connectionOptions());
    try {
      await connection.subscribe(lifecycleEvent, onLifecycle);
      await connection.subscribeMonitor(onMonitor);
      this.#disposal.signal.throwIfAborted();
      this.#connection = connection;
      await onConnected(!this.#wasConnected);
      this.#wasConnected = true;
    } catch (error) {
      this.#connection = null;
      connection.close();
      throw error;
    }
    void connection.closed.then((reason) => this.#onLost(reason));
  }

  #onLost(reason: Error): void {
    this.#connection = null;
    this.#failure = reason;
    if (this.#disposal.signal.aborted) return;
    this.#options.logger.warn({ err: reason }, "connection to libvirt lost");
    this.#options.onLost(reason);
    void this.#connect();
  }

  #connectionOptions() {
    const { logger, sockets } = this.#options;
    return { logger, ...(sockets === undefined ? {} : { sockets }) };
  }
}
