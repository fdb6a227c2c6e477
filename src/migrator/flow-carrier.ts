import { setImmediate as nextTurn } from "node:timers/promises";
import type { GuestInstance } from "../hypervisor/hypervisor.ts";
import { monotonicMs } from "../platform/clock.ts";
import { hasCode } from "../platform/errors.ts";
import { AsyncLock } from "../platform/lock.ts";
import type { Logger } from "../platform/log.ts";
import type { GuestFlow } from "../routing/flows/flow-table.ts";
import { toCarriedFlow } from "./carried-flow.ts";
import { FlowFigures } from "./flow-figures.ts";
import { FlowLedger, flowKey, isEstablished, isReset } from "./flow-ledger.ts";
import type { CarriedFlow } from "./flow-procedures.ts";
import type { FlowsReport } from "./report.ts";
import { round } from "./timeline.ts";

/** What the destination has made of some flows. */
export interface CarriedAnswer {
  installed: number;
  present: number;
  refused: Record<string, number>;
}

/** Where a guest's flows are read, and who is told of them. */
export interface FlowCarrierOptions {
  /** All that this host tracks for the guest; null when it tracks nothing. */
  read(): Promise<GuestFlow[] | null>;
  /** At most `flowsPerMessage`. */
  send(flows: CarriedFlow[], signal: AbortSignal): Promise<CarriedAnswer>;
  /** Those that the destination has seen being reset; null when this host sees that itself. */
  askReset: (() => Promise<GuestFlow[]>) | null;
  instance: Pick<GuestInstance, "onEvent">;
  logger: Logger;
}

/** Reading one takes both hosts some ten milliseconds, in which they can do nothing for another guest that stands. */
export const flowsPerMessage = 500;

/** After a reading that took longer, another one soon after the guest has resumed would take processors that it needs. */
const quickMs = 50;

/**
 * Tells a guest's destination of the flows that its source tracks, so that a stateful firewall there takes their packets
 * for what they are: all of them while memory is sent, and what is new or has changed since just before the guest is
 * stopped, and once it has resumed. Nothing is read or sent while the guest stands. What cannot be carried is told, and
 * is no reason not to move the guest.
 */
export class FlowCarrier {
  readonly #options: FlowCarrierOptions;
  readonly #ledger = new FlowLedger();
  readonly #figures = new FlowFigures();
  readonly #oneAtATime = new AsyncLock();
  readonly #over = new AbortController();
  #established: ReadonlySet<string> | null = null;
  #isUntracked = false;
  /** It runs at its destination. */
  #hasMoved = false;
  /** The destination is of a release that carries none. */
  #isUnknown = false;
  #failure: unknown = null;
  /** Resolves when the guest runs again. */
  #standing: PromiseWithResolvers<void> | null = null;
  #unlisten: (() => void) | null = null;
  /** How long the latest reading took. */
  #lastMs = 0;

  constructor(options: FlowCarrierOptions) {
    this.#options = options;
  }

  /** There may be something to do before the guest is stopped. */
  get isNeeded(): boolean {
    return this.#unlisten !== null && !this.#isUntracked && !this.#over.signal.aborted;
  }

  /** Why not all that was due is known at the destination; null when all is. */
  get failure(): unknown {
    return this.#failure;
  }

  /** This host tracks nothing of the guest. */
  get isUntracked(): boolean {
    return this.#isUntracked;
  }

  /** The destination takes none of them. */
  get areRefused(): boolean {
    return this.#figures.areAllRefused;
  }

  /** How many flows of those that were found the destination knows; null before any is. */
  get progress(): { carried: number; total: number } | null {
    return this.#figures.progress;
  }

  /** For a migration's report; null when this host tracks nothing, or nothing was found out before the guest stopped. */
  get report(): FlowsReport | null {
    const established = this.#established?.size;
    return established === undefined ? null : this.#figures.report(established);
  }

  /** All of them, in the background; once, however often the stream begins. */
  begin(): void {
    if (this.#unlisten !== null || this.#over.signal.aborted) return;
    this.#unlisten = this.#options.instance.onEvent(({ name }) => {
      if (name === "STOP") this.#standing ??= Promise.withResolvers<void>();
      if (name === "RESUME") this.#goOn();
    });
    void this.#round("all", true);
  }

  /** What is new or has changed, once all that was there before is known. Never throws: `failure` tells. */
  async complete(): Promise<void> {
    if (this.isNeeded) await this.#round("difference", false);
  }

  /** The same for who holds nothing back for it: unless it is under way, in the background. */
  refresh(): void {
    if (!this.#oneAtATime.isBusy) void this.complete();
  }

  /** Resolves when nothing is being read or sent. */
  async settled(): Promise<void> {
    await this.#oneAtATime.run(async () => {});
  }

  /** The guest runs at the destination: flows that began in the last milliseconds, unless reading takes long. */
  async carryLast(): Promise<void> {
    this.#hasMoved = true;
    this.#goOn();
    if (this.isNeeded && this.#lastMs <= quickMs) await this.#round("last", false);
  }

  /** The same later on, and what has become of those that were established. Never throws. */
  async conclude(): Promise<void> {
    this.#hasMoved = true;
    this.#goOn();
    if (!this.isNeeded) return;
    const flows = await this.#round("last", false);
    try {
      if (flows !== null) await this.#countSurvivors(flows);
    } catch (error) {
      this.#options.logger.warn({ err: error }, "not known which flows have survived");
    }
    this.stop();
  }

  /** Nothing more is read or sent. */
  stop(): void {
    this.#over.abort(new Error("the flows are not carried any more"));
    this.#goOn();
    this.#unlisten?.();
  }

  #goOn(): void {
    this.#standing?.resolve();
    this.#standing = null;
  }

  /** What was read; null when nothing could be. It is not kept: there may be very many. */
  async #round(
    which: "all" | "difference" | "last",
    isEarly: boolean,
  ): Promise<readonly GuestFlow[] | null> {
    using _turn = await this.#oneAtATime.acquire();
    const { logger } = this.#options;
    let flows: readonly GuestFlow[] | null = null;
    try {
      await this.#whileGuestRuns();
      const startMs = monotonicMs();
      flows = await this.#options.read();
      this.#isUntracked = flows === null;
      if (flows === null) return null;
      // What was to be read before the guest's stop, and is read only now, tells nothing of that time.
      if (!this.#hasMoved || this.#established === null)
        this.#established = keysOf(flows.filter(isEstablished));
      this.#lastMs = monotonicMs() - startMs;
      const due = this.#ledger.due(flows, { isEarly });
      this.#figures.found(this.#ledger.sizeWith(due));
      await this.#send(due);
      if (!this.#isUnknown) this.#failure = null;
      const tookMs = monotonicMs() - startMs;
      this.#figures.took(which, tookMs);
      logger.info({ which, flows: flows.length, sent: due.length, ms: round(tookMs) }, "flows");
    } catch (error) {
      this.#failed(error);
    }
    return flows;
  }

  async #send(flows: readonly GuestFlow[]): Promise<void> {
    if (this.#isUnknown) return;
    for (let next = 0; next < flows.length; next += flowsPerMessage) {
      await this.#whileGuestRuns();
      const some = flows.slice(next, next + flowsPerMessage);
      const answer = await this.#options.send(some.map(toCarriedFlow), this.#over.signal);
      this.#ledger.note(some);
      this.#figures.carried(answer.refused, this.#ledger.size);
      if (next + flowsPerMessage < flows.length) await nextTurn();
    }
  }

  /** @throws the reason when nothing is to be carried any more. */
  async #whileGuestRuns(): Promise<void> {
    while (this.#standing !== null) await this.#standing.promise;
    this.#over.signal.throwIfAborted();
  }

  #failed(error: unknown): void {
    const { logger } = this.#options;
    if (this.#over.signal.aborted) return;
    this.#failure = error;
    this.#isUnknown = hasCode(error, "SOJ_UNKNOWN_PROCEDURE");
    if (this.#isUnknown) logger.warn("the destination's release carries no flows");
    else logger.warn({ err: error }, "flows not carried");
  }

  async #countSurvivors(flows: readonly GuestFlow[]): Promise<void> {
    const { askReset } = this.#options;
    const established = this.#established;
    if (established === null) return;
    const seen = flows.filter(isReset);
    const told = askReset === null ? [] : await askReset();
    const reset = keysOf([...seen, ...told]);
    this.#figures.survived(established.size - established.intersection(reset).size);
  }
}

function keysOf(flows: readonly GuestFlow[]): Set<string> {
  return new Set(flows.map(flowKey));
}
