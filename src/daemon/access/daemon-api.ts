import { startTimer, type Timer } from "../../platform/clock.ts";
import { asSojournError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import type { DaemonConfig } from "../config.ts";
import type { ApiConfig } from "./config.ts";
import { startTcpApi, type TcpApi, type TcpApiOptions } from "./tcp-api.ts";

type Options = Omit<TcpApiOptions, "listen">;

const retryMs = 5_000;

/**
 * The API on TCP as the configuration wants it, if it wants one. One that cannot start, for a certificate, the tokens or
 * the port, is an alarm in the log and tried again: the daemon starts all the same, since a guest may wait for it.
 */
export class ConfiguredTcpApi implements AsyncDisposable {
  readonly #options: Options;
  readonly #retryMs: number;
  #clients: ApiConfig["clients"];
  #api: TcpApi | null = null;
  #starting: Promise<void> = Promise.resolve();
  #retry: Timer | null = null;
  #complaint: string | null = null;
  #isDisposed = false;

  private constructor(options: Options, retryEveryMs: number) {
    this.#options = options;
    this.#retryMs = retryEveryMs;
    this.#clients = options.config.clients;
  }

  /** @param retryEveryMs between attempts to start one that cannot. */
  static async start(options: Options, retryEveryMs = retryMs): Promise<ConfiguredTcpApi> {
    const api = new ConfiguredTcpApi(options, retryEveryMs);
    await api.#begin();
    return api;
  }

  /** Null while it is not there. */
  get port(): number | null {
    return this.#api?.port ?? null;
  }

  get connections(): number {
    return this.#api?.connections ?? 0;
  }

  get refused(): ReadonlyMap<string, number> {
    return this.#api?.refused ?? new Map();
  }

  /** As `TcpApi.reload`; one that is not there is tried at once. */
  async reload(clients: ApiConfig["clients"]): Promise<void> {
    this.#clients = clients;
    if (this.#api !== null) await this.#api.reload(clients);
    else await this.#begin();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    this.#retry?.cancel();
    await this.#starting;
    await this.#api?.[Symbol.asyncDispose]();
  }

  /** One attempt at a time. */
  #begin(): Promise<void> {
    this.#starting = this.#starting.then(() => this.#attempt());
    return this.#starting;
  }

  /** Never rejects. */
  async #attempt(): Promise<void> {
    const { config, logger } = this.#options;
    const { listen } = config;
    if (listen === null || this.#api !== null || this.#isDisposed) return;
    this.#retry?.cancel();
    try {
      const current = { ...config, clients: this.#clients };
      this.#api = await startTcpApi({ ...this.#options, config: current, listen });
      if (this.#complaint !== null) logger.info({ port: this.port }, "the API is on TCP now");
    } catch (error) {
      const { code, message, hint } = asSojournError(error);
      const isNew = message !== this.#complaint;
      this.#complaint = message;
      if (isNew) logger.error({ code, fault: message, hint }, "alarm: the API is not on TCP");
      this.#retry = startTimer(() => void this.#begin(), this.#retryMs, false);
    }
  }
}

/**
 * On SIGHUP reads certificates, tokens and the roles of clients again; nothing else of the configuration. A file that is
 * wrong changes nothing.
 */
export function reloadOnHangup(
  readConfig: () => Promise<DaemonConfig>,
  api: Pick<TcpApi, "reload">,
  logger: Logger,
): Disposable {
  const reload = async () => {
    try {
      await api.reload((await readConfig()).api.clients);
    } catch (error) {
      logger.error({ err: error }, "nothing was reloaded");
    }
  };
  const onHangup = () => void reload();
  process.on("SIGHUP", onHangup);
  return { [Symbol.dispose]: () => process.off("SIGHUP", onHangup) };
}
