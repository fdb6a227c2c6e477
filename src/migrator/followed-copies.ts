import { monotonicMs } from "../platform/clock.ts";
import { AsyncLock } from "../platform/lock.ts";
import { armingStep, StreamEnd } from "./followed-arming.ts";
import { attachmentOf } from "./network.ts";
import { othersProgress } from "./others-progress.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";

/** What a destination's tap has room for: the time that copies are kept, and a long stop. */
const budgetMs = 6_000;

/** How long the destination may take to make room. */
const roomTimeoutMs = 2_000;

/** The copies of a guest's inbound packets for a destination to which others send it, who hold nothing back. */
export class FollowedCopies {
  readonly #context: SourceContext;
  readonly #task: MigrationTask;
  readonly #facts: MigrationFacts;
  readonly #address: string;
  readonly #tap: string;
  readonly #lock = new AsyncLock();
  readonly #end = new StreamEnd();
  #armedAtMs: number | null = null;
  #isFrozen = false;

  constructor(context: SourceContext, task: MigrationTask, facts: MigrationFacts) {
    this.#context = context;
    this.#task = task;
    this.#facts = facts;
    const { address, tap } = attachmentOf(context.host, facts.before);
    this.#address = address;
    this.#tap = tap;
  }

  /** Begins, unless the guest is stopped already: what waits at the destination by then is thrown away first. */
  async arm(): Promise<void> {
    await this.#lock.run(() => this.#armAfresh());
  }

  /** Looks how far the stream is, and does what follows from that. */
  async adjust(isStreaming: boolean): Promise<void> {
    const { instance, inboundRate } = this.#facts;
    const counters = await this.#context.network.routing.linkCounters(this.#tap).catch(() => null);
    if (counters !== null) inboundRate.read(counters.txPackets);
    if (isStreaming) {
      const progress = await othersProgress(instance);
      this.#facts.finalProgress = progress;
      this.#facts.onProgress(progress, null, null);
      if (progress.totalBytes > 0) this.#end.note(progress.remainingBytes, monotonicMs());
    }
    await this.#lock.run(() => this.#step());
  }

  /** From the guest's stop on nothing is thrown away any more. */
  freeze(): void {
    this.#isFrozen = true;
  }

  /** The guest runs here again, or elsewhere for good. */
  async disarm(): Promise<void> {
    this.#isFrozen = true;
    await this.#lock.run(() => this.#disarm());
  }

  async #step(): Promise<void> {
    if (this.#isFrozen) return;
    const armedForMs = this.#armedAtMs === null ? null : monotonicMs() - this.#armedAtMs;
    switch (armingStep(armedForMs, this.#end.leastLeftMs)) {
      case "keep":
        return;
      case "disarm":
        return await this.#disarm();
      case "renew":
        if (this.#facts.inboundRate.packetsPerSecond === 0) return;
        await this.#disarm();
        return await this.#armAfresh();
      case "arm":
        return await this.#armAfresh();
    }
  }

  async #armAfresh(): Promise<void> {
    const { id, guest, epoch, to } = this.#task;
    const inbound = {
      packets_per_second: this.#facts.inboundRate.packetsPerSecond,
      budget_ms: budgetMs,
      afresh: true,
    };
    const question = { id, guest, epoch, wait_ms: 0, inbound };
    await this.#context.peer(to).call("state", question, { timeoutMs: roomTimeoutMs });
    // Whatever it was told to throw away, it has by now; but its guest is stopped, and would miss what is copied late.
    if (this.#isFrozen) return;
    await this.#context.network.routing.arm(this.#address);
    this.#armedAtMs = monotonicMs();
    // Others' streams wait for nobody: what has changed is told while the guest still runs, or once it has resumed.
    this.#facts.flows?.refresh();
  }

  async #disarm(): Promise<void> {
    if (this.#armedAtMs === null) return;
    await this.#context.network.routing.disarm(this.#address);
    this.#armedAtMs = null;
  }
}
