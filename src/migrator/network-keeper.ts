import { monotonicMs, startTimer, type Timer } from "../platform/clock.ts";
import { asSojournError } from "../platform/errors.ts";
import type { Logger } from "../platform/log.ts";
import type { KernelWatch } from "../routing/watch/kernel-watch.ts";
import type { HostNetwork } from "./host-network.ts";
import { RepairPace } from "./repair-pace.ts";

/** A change seldom comes alone: what belongs together is looked at together. */
const settleMs = 100;
/** How soon to ask again whether the network is at rest. */
const restMs = 250;
/** Looks in vain, one after another, are further and further apart, however much happens. */
const longestGapMs = 2_000;
/** Some changes the kernel tells nobody of; they are found so late at most. */
const patrolMs = 60_000;
const mostLoggedLines = 20;

export interface NetworkKeeperOptions {
  network: Pick<HostNetwork, "repair" | "isAtRest">;
  /** Opens the watch that calls back. */
  openWatch(onChange: () => void): KernelWatch;
  logger: Logger;
  pace?: RepairPace;
}

/** Counts since the daemon's start. */
export interface KeeperFigures {
  looks: number;
  repairs: number;
  failures: number;
  /** An alarm was raised and is not over: somebody keeps changing what is ours, or it cannot be repaired. */
  isAlarmed: boolean;
}

/**
 * Keeps a host's kernel as its records say while the daemon runs: looks when the kernel tells of a change to something
 * of ours, and now and then, and repairs what somebody else has changed. Never while a guest is about to arrive or to
 * leave (`HostNetwork.isAtRest`). The callback of the kernel's events only sets a mark.
 */
export class NetworkKeeper implements AsyncDisposable {
  readonly #network: NetworkKeeperOptions["network"];
  readonly #logger: Logger;
  readonly #watch: KernelWatch;
  readonly #pace: RepairPace;
  #timer: Timer | null = null;
  #patrol: Timer | null = null;
  #looking: Promise<void> | null = null;
  #isChanged = false;
  #isEnded = false;
  #nextLookMs = Number.NEGATIVE_INFINITY;
  /** What the last alarm was about; one is enough. */
  #alarm: string | null = null;
  #looks = 0;
  #looksInVain = 0;
  #repairs = 0;
  #failedLooks = 0;
  #failures = 0;

  constructor({ network, openWatch, logger, pace = new RepairPace() }: NetworkKeeperOptions) {
    this.#pace = pace;
    this.#network = network;
    this.#logger = logger;
    this.#watch = openWatch(() => this.#noteChange());
    this.#startPatrol();
    this.#noteChange();
  }

  /** How often the kernel was compared with the records. */
  get looks(): number {
    return this.#looks;
  }

  /** What has come of it since the start. */
  get figures(): KeeperFigures {
    return {
      looks: this.#looks,
      repairs: this.#repairs,
      failures: this.#failedLooks,
      isAlarmed: this.#alarm !== null,
    };
  }

  /** Nothing is looked at, and nothing known that would have to be. */
  get isIdle(): boolean {
    return !this.#isChanged && this.#looking === null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    this.#timer?.cancel();
    this.#patrol?.cancel();
    await this.#looking;
    await this.#watch[Symbol.asyncDispose]();
  }

  #noteChange(): void {
    if (this.#isChanged) return;
    this.#isChanged = true;
    this.#schedule(settleMs);
  }

  #startPatrol(): void {
    const patrol = () => {
      this.#noteChange();
      this.#startPatrol();
    };
    this.#patrol = startTimer(patrol, patrolMs, false);
  }

  #schedule(delayMs: number): void {
    if (this.#timer !== null || this.#looking !== null || this.#isEnded) return;
    const begin = () => {
      this.#timer = null;
      this.#begin();
    };
    this.#timer = startTimer(begin, delayMs, false);
  }

  #begin(): void {
    const waitMs = Math.max(this.#pace.waitMs, this.#nextLookMs - monotonicMs());
    if (waitMs > 0) this.#schedule(waitMs);
    else if (!this.#network.isAtRest) this.#schedule(restMs);
    else this.#lookNow();
  }

  #lookNow(): void {
    this.#isChanged = false;
    this.#looking = this.#look().finally(() => {
      this.#looking = null;
      if (this.#isChanged) this.#schedule(settleMs);
    });
  }

  async #look(): Promise<void> {
    const startedMs = monotonicMs();
    this.#looks += 1;
    try {
      const lines = await this.#network.repair(this.#watch);
      this.#noteLook(lines);
      const tookMs = monotonicMs() - startedMs;
      this.#logger.debug({ tookMs, repaired: lines.length }, "looked at the host's network");
      const isQuiet = startedMs - this.#nextLookMs > longestGapMs;
      this.#looksInVain = lines.length > 0 || isQuiet ? 0 : this.#looksInVain + 1;
      this.#nextLookMs = monotonicMs() + Math.min(longestGapMs, 2 * this.#looksInVain * tookMs);
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  #noteLook(lines: string[]): void {
    const wasContested = this.#pace.isContested;
    this.#failures = 0;
    if (lines.length === 0) this.#pace.unchanged();
    else this.#pace.repaired();
    const { isContested } = this.#pace;
    if (!isContested) {
      if (this.#alarm !== null) this.#logger.info("the host's network is as it should be again");
      this.#alarm = null;
    }
    if (lines.length === 0) return;
    this.#repairs += 1;
    const changed = { lines: lines.slice(0, mostLoggedLines).map(inOneLine), count: lines.length };
    this.#logger.info(changed, "somebody else's change to the host's network was repaired");
    if (!isContested || wasContested) return;
    this.#alarm = "contested";
    this.#logger.error(
      changed,
      "alarm: somebody else keeps changing the host's network; it is repaired less and less often",
    );
  }

  #noteFailure(error: unknown): void {
    this.#isChanged = true;
    this.#pace.failed();
    this.#failures += 1;
    this.#failedLooks += 1;
    const { message } = asSojournError(error);
    // A look amid somebody else's changes may fail by itself, once.
    if (this.#failures === 1) this.#logger.debug({ err: error }, "looking again");
    if (this.#failures === 1 || message === this.#alarm) return;
    this.#alarm = message;
    this.#logger.error(
      { err: error },
      "alarm: the host's network is not as it should be and cannot be repaired; tried again",
    );
  }
}

/** A ruleset's many lines are told by their number. */
function inOneLine(line: string): string {
  const lines = line.split("\n");
  return lines.length === 1 ? line : `${lines[0]?.split(" ")[0]} (${lines.length} lines)`;
}
