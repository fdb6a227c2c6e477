import type { MigrationProgress } from "../hypervisor/hypervisor.ts";
import { monotonicMs } from "../platform/clock.ts";
import { toBytesPerSecond } from "../platform/rates.ts";
import {
  afterPass,
  type Budget,
  type Decision,
  firstBudget,
  longestBudgetMs,
  type PolicyLimits,
  shortBlackoutMs,
} from "./convergence-policy.ts";
import { type Forecast, forecastOf } from "./forecast.ts";
import { LinkEstimate } from "./link-estimate.ts";

/** Loading the devices' state and starting again, beside the remaining memory. */
export const deviceAllowanceMs = 10;

/** From the decision to arm until the guest is told to stop: what it dirties meanwhile has to be sent as well. */
const armingMs = 100;

/** Bytes per second that any link is taken to carry before it was measured. */
const unmeasuredBytesPerSecond = 16 * 1024 * 1024;

/** Between two looks at what waits in the stream's socket. */
const queueLookMs = 100;

/** A link is not always as fast as it was seen to be, and a busy host takes its time. */
const usualCaution = 1.1;

/** By how much a prediction grows with each stop that was taken back. */
const cautionPerReturn = 1.25;

export interface LinkKnowledge {
  /** Capacity as configured, and the stream's own limit; 0 where there is none. */
  capacityBytesPerSecond: number;
  limitBytesPerSecond: number;
  /** At present, for whatever reason; 0: the stream is not slowed down. */
  heldToBytesPerSecond(): number;
  /** What was written to the stream and has not arrived. */
  unsentBytes(): number;
}

type Figures = Pick<
  MigrationProgress,
  | "dirtySyncCount"
  | "transferredBytes"
  | "remainingBytes"
  | "dirtyBytesPerSecond"
  | "bandwidthMbps"
  | "throttlePercent"
>;

/** What one stream has shown so far: the link's speed, the guest's, what was decided. Gone with the stream. */
export class PrecopyCourse {
  readonly #link: LinkKnowledge;
  readonly #estimate = new LinkEstimate();
  #budget: Budget | null = null;
  #caution = usualCaution;
  /** The fastest that the hypervisor told of: for streams too short to be measured. */
  #reportedBytesPerSecond = 0;
  #queue = { bytes: 0, atMs: Number.NEGATIVE_INFINITY };
  /** The latest pass: what it began with, for how long the one before lasted, when it was first seen. */
  #pass: { number: number; bytes: number; lastedMs: number; atMs: number } | null = null;
  #decided = { pass: 0, atMs: 0 };

  constructor(link: LinkKnowledge) {
    this.#link = link;
  }

  /** As far as is known, and rather too little than too much. */
  get linkBytesPerSecond(): number {
    const { capacityBytesPerSecond: capacity, limitBytesPerSecond: limit } = this.#link;
    const bounds = [capacity, limit].filter((bound) => bound > 0);
    const known = this.#estimate.bytesPerSecond;
    const assumed = Math.max(unmeasuredBytesPerSecond, capacity, this.#reportedBytesPerSecond);
    return Math.min(known ?? assumed, ...bounds);
  }

  /** Takes a reading. */
  note(progress: Figures): void {
    const nowMs = monotonicMs();
    if (nowMs - this.#queue.atMs > queueLookMs) this.#lookAtLink(progress, nowMs);
    const { dirtySyncCount: number, remainingBytes: bytes, bandwidthMbps } = progress;
    const reported = toBytesPerSecond(bandwidthMbps);
    this.#reportedBytesPerSecond = Math.max(this.#reportedBytesPerSecond, reported);
    if (number === this.#pass?.number) return;
    const passes = Math.max(number - (this.#pass?.number ?? 0), 1);
    const lastedMs = (nowMs - (this.#pass?.atMs ?? nowMs)) / passes;
    this.#pass = { number, bytes, lastedMs, atMs: nowMs };
  }

  /**
   * Expected time (ms) from STOP to RESUME if the guest stood now, with what waits in the socket.
   * @param alsoBytes that are not in QEMU's figure.
   */
  predictedMs({ remainingBytes }: Pick<Figures, "remainingBytes">, alsoBytes = 0): number {
    const bytes = remainingBytes + this.#queue.bytes + alsoBytes;
    return (bytes / this.linkBytesPerSecond) * 1000 * this.#caution + deviceAllowanceMs;
  }

  /** What the guest may dirty in so long: what it dirtied in the latest pass, or, of a longer one, that share. */
  dirtiedIn(ms: number): number {
    if (this.#pass === null) return 0;
    const { bytes, lastedMs } = this.#pass;
    return ms >= lastedMs ? bytes : (bytes * ms) / lastedMs;
  }

  forecast(progress: Figures, predictedMs: number | null, limits: PolicyLimits): Forecast | null {
    const { dirtyBytesPerSecond, throttlePercent } = progress;
    const limitMs = longestBudgetMs(limits);
    const { linkBytesPerSecond } = this;
    return forecastOf({
      ...{ dirtyBytesPerSecond, throttlePercent, linkBytesPerSecond },
      ...{ predictedMs, limitMs },
    });
  }

  /** When a pass begins: whether to arm. @param elapsedShare of the migration's time, 0 to 1. */
  decide(progress: Figures, elapsedShare: number, limits: PolicyLimits): Decision {
    this.#lookAtLink(progress, monotonicMs());
    const predictedMs = this.predictedMs(progress, this.dirtiedIn(armingMs));
    const { dirtySyncCount: number, throttlePercent } = progress;
    const converges = this.forecast(progress, predictedMs, limits)?.converges ?? true;
    const pass = { number, predictedMs, elapsedShare, throttlePercent, converges };
    const { decision, budget } = afterPass(this.#budget ?? firstBudget(limits), pass, limits);
    this.#budget = budget;
    this.#decided = { pass: number, atMs: monotonicMs() };
    return decision;
  }

  /** The blackout (ms) that a stop may lead to now: beyond the downtime limit only as far as was decided. */
  budgetMs({ downtimeLimitMs }: Pick<PolicyLimits, "downtimeLimitMs">): number {
    return Math.max(this.#budget?.ms ?? 0, shortBlackoutMs, downtimeLimitMs);
  }

  /** The latest pass that a decision was made after; 0 before any. */
  get decidedPass(): number {
    return this.#decided.pass;
  }

  /** Since the latest decision (ms). */
  get sinceDecisionMs(): number {
    return monotonicMs() - this.#decided.atMs;
  }

  /** A stop was taken back because more was left than predicted: the next prediction is more careful. */
  noteReturn(): void {
    this.#caution *= cautionPerReturn;
  }

  /** Just before a stop: what waits in the socket then has to arrive first, and a stream at full speed fills it. */
  lookAtQueue(): void {
    this.#queue = { bytes: this.#link.unsentBytes(), atMs: monotonicMs() };
  }

  /** What was written and does not wait any more has arrived. */
  #lookAtLink({ dirtySyncCount: pass, transferredBytes }: Figures, nowMs: number): void {
    this.lookAtQueue();
    const queuedBytes = this.#queue.bytes;
    const reading = { pass, arrivedBytes: transferredBytes - queuedBytes, queuedBytes };
    this.#estimate.note(reading, this.#link.heldToBytesPerSecond(), nowMs);
  }
}
