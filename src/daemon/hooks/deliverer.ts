import type { Logger } from "../../platform/log.ts";
import { ConcurrencyLimit } from "../concurrency-limit.ts";
import type { HookEndpoint } from "./endpoint.ts";
import { DeliveryCounters } from "./figures.ts";
import { Lane } from "./lane.ts";
import type { QuietTimes } from "./quiet-times.ts";
import type { Spool } from "./spool.ts";

/** Programs, of different guests, that run at the same time. */
const concurrentPrograms = 4;

/** Receivers that are sent to at the same time. */
const concurrentReceivers = 16;

interface Target {
  endpoint: HookEndpoint;
  stop: AbortController;
  lanes: Map<string, { lane: Lane; done: Promise<void> }>;
}

/** Delivers what is in the spool. Where nothing waits, nothing runs. */
export class Deliverer implements AsyncDisposable {
  readonly counters = new DeliveryCounters();
  readonly #spool: Spool;
  readonly #quiet: QuietTimes;
  readonly #logger: Logger;
  readonly #targets = new Map<string, Target>();
  readonly #limits = {
    exec: new ConcurrencyLimit(concurrentPrograms),
    webhook: new ConcurrencyLimit(concurrentReceivers),
  };

  constructor(spool: Spool, quiet: QuietTimes, logger: Logger) {
    this.#spool = spool;
    this.#quiet = quiet;
    this.#logger = logger;
  }

  /** Begins with what waits for this subscription. */
  begin(subscription: string, endpoint: HookEndpoint): void {
    this.#targets.set(subscription, {
      ...{ endpoint, stop: new AbortController(), lanes: new Map() },
    });
    this.wake(subscription);
  }

  /** Resolves when nothing is sent to this subscription any more. */
  async end(subscription: string): Promise<void> {
    const target = this.#targets.get(subscription);
    if (target === undefined) return;
    this.#targets.delete(subscription);
    target.stop.abort();
    await Promise.all([...target.lanes.values()].map(({ done }) => done));
  }

  /** Something waits for this subscription. */
  wake(subscription: string): void {
    const target = this.#targets.get(subscription);
    if (target === undefined) return;
    for (const lane of this.#lanes(subscription)) {
      const running = target.lanes.get(lane);
      if (running === undefined) this.#start(subscription, lane, target);
      else running.lane.notice();
    }
  }

  /** The same, and nothing pauses after a failure. */
  hurry(subscription: string): void {
    for (const { lane } of this.#targets.get(subscription)?.lanes.values() ?? []) lane.hurry();
    this.wake(subscription);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#targets.keys()].map((subscription) => this.end(subscription)));
  }

  #start(subscription: string, name: string, target: Target): void {
    const { endpoint, stop, lanes } = target;
    const lane = new Lane({
      ...{ subscription, lane: name, endpoint, counters: this.counters },
      ...{ spool: this.#spool, quiet: this.#quiet, logger: this.#logger },
      limit: this.#limits[endpoint.kind],
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    lanes.set(name, { lane, done: promise });
    lane
      .run(stop.signal, () => void lanes.delete(name))
      .catch((error: unknown) => {
        if (stop.signal.aborted) return;
        this.#logger.error({ [endpoint.kind]: subscription, err: error }, "alarm: a hook stands");
        lanes.delete(name);
      })
      .finally(resolve);
  }

  /** What cannot be read now is looked for at the next message. */
  #lanes(subscription: string): string[] {
    try {
      return this.#spool.lanes(subscription);
    } catch (error) {
      this.#logger.error({ webhook: subscription, err: error }, "alarm: the spool cannot be read");
      return [];
    }
  }
}
