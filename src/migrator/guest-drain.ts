import { delay, monotonicMs } from "../platform/clock.ts";
import { inTurns } from "../platform/in-turns.ts";
import type { TrackedFlow } from "../routing/flows/tracked-flow.ts";
import type { DrainContext } from "./drain-context.ts";
import { decideDrain, type Look } from "./drain-decision.ts";
import { redirectFlows } from "./drain-flows.ts";
import { countedNow, elapsedMs, isCountDue } from "./drain-time.ts";
import { FlowWatch } from "./flow-watch.ts";
import { type AwayRecord, addressOf, isGoing, openRedirect } from "./open-redirect.ts";
import type { Drain } from "./records.ts";
import type { Retiring } from "./retiring.ts";
import { VanishedFlows } from "./vanished-flows.ts";

/** Between two looks; more where a look takes long, so that looking takes a twentieth of the time at most. */
const [pauseMs, pausePerLook] = [2_000, 20];

/** While a guest stands, and after a look that failed. */
const [standingPauseMs, failedPauseMs] = [250, 10_000];

/** What is known of a drain that goes on. */
export interface DrainFigures {
  guest: string;
  /** That need the redirect; null until home could look. */
  flows: number | null;
}

/**
 * Sees to the end of one guest's redirect: looks at its flows until none needs it any more, then has it retired. Ends when
 * the record asks for nothing (any more); begins anew with another `GuestDrain`.
 */
export class GuestDrain implements AsyncDisposable {
  readonly migration: string | undefined;
  readonly #guest: string;
  readonly #context: DrainContext;
  readonly #retiring: Retiring;
  readonly #watch = new FlowWatch();
  readonly #vanished = new VanishedFlows();
  readonly #stop = new AbortController();
  /** Resolves when there is nothing (more) to see to. */
  readonly ended: Promise<void>;
  #wake = Promise.withResolvers<void>();
  #looks: Look[] = [];
  #isTold = false;
  /** By the flows' ids, as of the last look. */
  idleMs: ReadonlyMap<string, number> = new Map();

  /** @param migration that has begun the drain; undefined where nothing drains, and the redirect goes by somebody's word. */
  constructor(
    context: DrainContext,
    retiring: Retiring,
    guest: string,
    migration: string | undefined,
  ) {
    this.migration = migration;
    this.#context = context;
    this.#retiring = retiring;
    this.#guest = guest;
    this.ended = this.#run();
  }

  get figures(): DrainFigures {
    return { guest: this.#guest, flows: this.#looks.at(-1)?.needing ?? null };
  }

  /** Somebody else has decided about it. */
  wake(): void {
    this.#wake.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.wake();
    await this.ended;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { logger } = this.#context;
    const { signal } = this.#stop;
    const guest = this.#guest;
    while (!signal.aborted) {
      let waitMs = failedPauseMs;
      try {
        const step = await this.#step(signal);
        if (step === null) return;
        waitMs = step;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn(
          { guest, err: error },
          "the guest's redirect is not seen to; to be tried again",
        );
      }
      await this.#pause(waitMs, signal);
    }
  }

  /** Returns how long to wait for the next; null for never. */
  async #step(signal: AbortSignal): Promise<number | null> {
    await Promise.resolve();
    const { isGuestStanding, journal, records, tell } = this.#context;
    if (isGuestStanding()) return standingPauseMs;
    const record = openRedirect(records.get(this.#guest));
    if (record === null || !isGoing(record)) return null;
    // Nothing is decided about it; an operator's word releases it.
    if (journal.isHeld(this.#guest)) return failedPauseMs;
    // The guest is between two other hosts.
    if (record.redirect.next !== undefined) return pauseMs;
    if (record.redirect.drain !== undefined) this.#isTold ||= tell.draining(record);
    if (record.redirect.retiring !== undefined) {
      await this.#retiring.carryOut(this.#guest, signal);
      return pauseMs;
    }
    return await this.#look(record);
  }

  async #look(record: AwayRecord): Promise<number> {
    const beganMs = monotonicMs();
    const drain = await this.#counted(record);
    if (drain === null) return 0;
    const wasRead = await this.#read(record, drain);
    const { boot, logger } = this.#context;
    const decision = decideDrain(drain, {
      elapsedMs: elapsedMs(drain.counted, boot),
      nameElapsedMs: drain.counted?.nameElapsedMs ?? null,
      rebootElapsedMs: drain.counted?.rebootElapsedMs ?? null,
      looks: this.#looks,
    });
    if ("retire" in decision) {
      await this.#retiring.decide(this.#guest, decision.retire);
      return 0;
    }
    logger.debug({ guest: this.#guest, ...decision, ...this.#looks.at(-1) }, "draining");
    if (!wasRead) return failedPauseMs;
    return Math.max(pauseMs, pausePerLook * (monotonicMs() - beganMs));
  }

  /** The drain with its time, which is stored now and then; null for one that is none any more. */
  async #counted(known: AwayRecord): Promise<Drain | null> {
    const { boot, network, records } = this.#context;
    const { drain } = known.redirect;
    if (drain === undefined || !isCountDue(drain, boot)) return drain ?? null;
    using _held = await network.hold();
    const record = openRedirect(records.get(this.#guest));
    if (record?.redirect.drain === undefined) return null;
    const counted = countedNow(record.redirect.drain, boot);
    const redirect = { ...record.redirect, drain: { ...record.redirect.drain, counted } };
    records.put({ ...record, redirect });
    return redirect.drain;
  }

  /** False when home could not look: then nothing is known, and all flows are taken to need it. */
  async #read(record: AwayRecord, { idleTimeoutS }: Drain): Promise<boolean> {
    const { flows, logger } = this.#context;
    try {
      const found = await flows.read(addressOf(record));
      this.idleMs = await this.#note(found);
      const { needing, idle, over } = redirectFlows(found, this.idleMs, idleTimeoutS);
      // What was idle for long enough may vanish.
      const vanished = await this.#vanished.note(
        needing,
        [...idle, ...over],
        monotonicMs(),
        idleTimeoutS,
      );
      const look = { needing: needing.length + vanished, idle: idle.length };
      this.#looks = [...this.#looks.slice(-1), look];
      return true;
    } catch (error) {
      this.#looks = [];
      logger.warn({ guest: this.#guest, err: error }, "the redirect's flows cannot be counted");
      return false;
    }
  }

  /** Of two flows with the same id, which is the kernel's hash, the one counts that was active last. */
  async #note(flows: readonly TrackedFlow[]): Promise<ReadonlyMap<string, number>> {
    const look = this.#watch.look(monotonicMs());
    const idleMs = new Map<string, number>();
    await inTurns(flows, (flow) => {
      const flowMs = look.note(flow);
      idleMs.set(flow.id, Math.min(flowMs, idleMs.get(flow.id) ?? flowMs));
    });
    look.end();
    return idleMs;
  }

  async #pause(waitMs: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const pause = delay(waitMs, AbortSignal.any([signal, over.signal])).catch(() => {});
    await Promise.race([pause, this.#wake.promise]);
    over.abort();
    this.#wake = Promise.withResolvers();
  }
}
