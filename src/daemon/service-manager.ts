import { delay, startTimer, type Timer } from "../platform/clock.ts";
import { runCommand } from "../platform/command.ts";
import type { Logger } from "../platform/log.ts";

/** What the service manager is told of this process. */
export interface ServiceState {
  /** For people, as `systemctl status` shows it. */
  status: () => string;
  /** A guest stands until this process has done its part: no process is started meanwhile. */
  isGuestStanding: () => boolean;
}

/** How the service manager asked to be told (sd_notify(3), sd_watchdog_enabled(3)). */
export interface NotifyRequest {
  socket: string;
  /** Null when it watches nobody, or not this process. */
  watchdogMs: number | null;
}

/** A watchdog's keep-alive waits for a standing guest this often, 100 ms each; then it comes all the same. */
const longestWait = { times: 20, eachMs: 100 };

/** Each keep-alive is a process of its own: an absurd interval starts no more of them. */
const shortestFeedMs = 100;

/**
 * What the environment asks of process `pid`, or null outside of a service manager. The variables are removed: QEMU
 * processes live on without us and must not speak for us.
 */
export function takeNotifyRequest(env: NodeJS.ProcessEnv, pid: number): NotifyRequest | null {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: watched } = env;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
  if (!socket || !/^[/@]/.test(socket)) return null;
  const isOurs = !watched || watched === String(pid);
  const intervalMs = /^\d{1,15}$/.test(usec ?? "") ? Number(usec) / 1000 : 0;
  return { socket, watchdogMs: isOurs && intervalMs > 0 ? intervalMs : null };
}

/**
 * Tells systemd when the daemon is ready, that its event loop turns, and when it stops. Node has no datagram sockets
 * of the unix kind: each message is a run of `systemd-notify`. What cannot be told is logged and changes nothing else.
 */
export class ServiceManager implements Disposable {
  readonly #request: NotifyRequest | null;
  readonly #logger: Logger;
  readonly #state: ServiceState;
  #timer: Timer | null = null;
  #isDisposed = false;

  constructor(request: NotifyRequest | null, logger: Logger, state: ServiceState) {
    this.#request = request;
    this.#logger = logger;
    this.#state = state;
  }

  /** From here on the watchdog is fed, by a timer of the event loop: a loop that stands feeds nothing. */
  async ready(): Promise<void> {
    if (this.#request === null) return;
    await this.#tell("READY=1", `MAINPID=${process.pid}`, `STATUS=${this.#state.status()}`);
    this.#feedLater();
  }

  async stopping(): Promise<void> {
    if (this.#request !== null) await this.#tell("STOPPING=1", "STATUS=stopping; guests go on");
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#timer?.cancel();
  }

  #feedLater(): void {
    const { watchdogMs } = this.#request ?? { watchdogMs: null };
    if (watchdogMs === null || this.#isDisposed) return;
    this.#timer = startTimer(
      () => void this.#feed(),
      Math.max(watchdogMs / 4, shortestFeedMs),
      false,
    );
  }

  async #feed(): Promise<void> {
    this.#feedLater();
    for (let waited = 0; waited < longestWait.times && this.#state.isGuestStanding(); waited += 1) {
      await delay(longestWait.eachMs);
    }
    if (!this.#isDisposed) await this.#tell("WATCHDOG=1", `STATUS=${this.#state.status()}`);
  }

  async #tell(...assignments: string[]): Promise<void> {
    const env = { NOTIFY_SOCKET: this.#request?.socket ?? "" };
    await runCommand("systemd-notify", assignments, { env, timeoutMs: 5_000 }).catch(
      (error: unknown) =>
        this.#logger.warn(
          { err: error, message: assignments[0] },
          "the service manager was not told",
        ),
    );
  }
}
