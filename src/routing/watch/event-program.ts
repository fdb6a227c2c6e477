import { monotonicMs, startTimer, type Timer } from "../../platform/clock.ts";
import { reasonOf } from "../../platform/errors.ts";
import { LineProcess } from "../../platform/line-process.ts";
import type { Logger } from "../../platform/log.ts";
import type { EventSource } from "./relevance.ts";

/** What each program listens to (ip-monitor(8), tc(8), nft(8)). */
const listening: Record<EventSource, readonly string[]> = {
  ip: ["-N", "-o", "monitor", "label", "link", "address", "route", "neigh", "rule", "netconf"],
  tc: ["monitor"],
  nft: ["monitor"],
};

/** By then a program that was just started listens. */
const startMs = 1_000;
const restartAfterMs = 1_000;
const restartAtMostMs = 30_000;

export interface EventReceiver {
  /** Must be quick: it is called for everything that happens on the host. */
  onLine(source: EventSource, line: string): void;
  /** Events were lost, or may have been: anything may have changed. */
  onLoss(source: EventSource, reason: string): void;
}

/** One of the programs, started again when it ends. */
export class EventProgram implements AsyncDisposable {
  readonly #source: EventSource;
  readonly #receiver: EventReceiver;
  readonly #logger: Logger;
  #process: LineProcess | null = null;
  #timer: Timer | null = null;
  #pauseMs = restartAfterMs;
  #startedMs = 0;

  constructor(source: EventSource, receiver: EventReceiver, logger: Logger) {
    this.#source = source;
    this.#receiver = receiver;
    this.#logger = logger;
    this.#start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.cancel();
    await this.#process?.[Symbol.asyncDispose]();
  }

  #start(): void {
    this.#startedMs = monotonicMs();
    try {
      this.#process = new LineProcess(this.#source, listening[this.#source], {
        onLine: (line) => this.#receiver.onLine(this.#source, line),
        // After an overrun of its socket (ENOBUFS, netlink(7)) it says so and goes on.
        onComplaint: (text) => this.#lose(text),
        onEnd: (reason) => this.#restart(reason),
      });
    } catch (error) {
      this.#restart(reasonOf(error));
      return;
    }
    this.#timer = startTimer(() => this.#lose("it has just begun to listen"), startMs, false);
  }

  #restart(reason: string): void {
    this.#timer?.cancel();
    if (monotonicMs() - this.#startedMs > restartAtMostMs) this.#pauseMs = restartAfterMs;
    this.#logger.warn({ program: this.#source, reason }, "the kernel's events are not heard");
    this.#timer = startTimer(() => this.#start(), this.#pauseMs, false);
    this.#pauseMs = Math.min(restartAtMostMs, 2 * this.#pauseMs);
  }

  #lose(reason: string): void {
    this.#receiver.onLoss(this.#source, reason);
  }
}
