import type { GuestEvent } from "../hypervisor/hypervisor.ts";
import { monotonicMs, startInterval, wallClockMs } from "../platform/clock.ts";
import type { FollowedCopies } from "./followed-copies.ts";
import { type FollowedState, nextFollowed, type Sight, sightOf } from "./followed-stream.ts";
import { attachmentOf, deliveryRoute, redirectRoute } from "./network.ts";
import { othersProgress } from "./others-progress.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";

/** Between two looks. */
const lookMs = 200;

/** libvirt says that nothing is sent while a stream begins, or ends: so often in a row it means it. */
const sureAfterLooks = 10;

/** Time from the hook's answer to the stream's beginning: a QEMU has to start at the destination. */
const longestWaitMs = 60_000;

const sendingStates = ["setup", "active", "pre-switchover", "device", "postcopy-active"];

/** Sees what becomes of a stream that others began, and leads the guest's packets after it. */
export class FollowedWatch {
  readonly #context: SourceContext;
  readonly #task: MigrationTask;
  readonly #facts: MigrationFacts;
  readonly #copies: FollowedCopies;
  readonly #outcome = Promise.withResolvers<"left" | "stayed">();
  readonly #startedMs = monotonicMs();
  #state: FollowedState = "awaited";
  #isLooking = false;
  /** In a row, without anything being sent. */
  #quietLooks = 0;

  constructor(
    context: SourceContext,
    task: MigrationTask,
    facts: MigrationFacts,
    copies: FollowedCopies,
  ) {
    this.#context = context;
    this.#task = task;
    this.#facts = facts;
    this.#copies = copies;
  }

  get isAwaited(): boolean {
    return this.#state === "awaited";
  }

  /** The guest stands because it is sent. */
  get isStopped(): boolean {
    return this.#state === "stopped";
  }

  /** `left`: its process here has ended; `stayed`: it goes on here. Never resolves once `signal` has fired. */
  async outcome(signal: AbortSignal): Promise<"left" | "stayed"> {
    const { instance } = this.#facts;
    const unlisten = instance.onEvent((event) => this.#see(sightOf(event), event));
    void instance.ended.then(() => this.#see({ kind: "ended" }));
    await this.#copies.arm().catch((error: unknown) => this.#warn(error, "not copied yet"));
    const timer = startInterval(() => void this.#look(), lookMs);
    signal.addEventListener("abort", () => timer.cancel());
    try {
      return await this.#outcome.promise;
    } finally {
      timer.cancel();
      unlisten();
    }
  }

  async #look(): Promise<void> {
    if (this.#isLooking || this.#state === "left" || this.#state === "stayed") return;
    this.#isLooking = true;
    try {
      const { instance } = this.#facts;
      const before = this.#state;
      const { status } = await othersProgress(instance);
      const runState = await instance.runState();
      const isSending = sendingStates.includes(status);
      this.#quietLooks = isSending ? 0 : this.#quietLooks + 1;
      const isSure = isSending || this.#quietLooks >= sureAfterLooks;
      // What was asked before an event is no news after it.
      if (isSure && this.#state === before) this.#see({ kind: "answer", runState, isSending });
      if (!isSending && monotonicMs() - this.#startedMs > longestWaitMs) {
        this.#see({ kind: "overdue" });
      }
      await this.#copies.adjust(this.#state === "streaming");
    } catch (error) {
      this.#context.logger.debug({ migration: this.#task.id, err: error }, "not seen");
    } finally {
      this.#isLooking = false;
    }
  }

  #see(sight: Sight, event?: GuestEvent): void {
    const before = this.#state;
    this.#state = nextFollowed(before, sight);
    if (this.#state === before) return;
    this.#quietLooks = 0;
    this.#follow(before, event);
    const { id: migration, guest } = this.#task;
    this.#context.logger.info({ migration, guest, state: this.#state, sight }, "seen of libvirt");
  }

  #follow(before: FollowedState, event?: GuestEvent): void {
    const { timeline } = this.#facts;
    const { name: host } = this.#context.host;
    switch (this.#state) {
      case "streaming":
        timeline.mark("precopy", host);
        return;
      case "stopped":
        this.#copies.freeze();
        void this.redirect();
        this.#facts.stoppedMs = timeline.mark("stop", host, stampOf(event));
        return;
      case "stayed":
        if (before === "stopped") void this.#deliver();
        this.#outcome.resolve("stayed");
        return;
      case "left":
        if (before !== "stopped") void this.redirect();
        this.#outcome.resolve("left");
        return;
      case "awaited":
        return;
    }
  }

  /** The guest is sent: from now on its packets go to the destination only. */
  async redirect(): Promise<void> {
    const { records, network, host } = this.#context;
    const { tunnelInterface: tunnel, before, timeline } = this.#facts;
    const record = records.get(this.#task.guest);
    if (tunnel === null || !record?.outgoing) return;
    const { address } = attachmentOf(host, before);
    records.putVolatile({ ...record, outgoing: { ...record.outgoing, switched: true } });
    try {
      await network.routing.replaceRoute(redirectRoute(address, tunnel));
      timeline.mark("route-change", host.name);
    } catch (error) {
      this.#warn(error, "the route does not follow the guest yet");
    }
  }

  /** It runs here again. */
  async #deliver(): Promise<void> {
    const { records, network, host } = this.#context;
    const record = records.get(this.#task.guest);
    if (!record?.outgoing) return;
    const { address, bridge } = attachmentOf(host, this.#facts.before);
    records.putVolatile({ ...record, outgoing: { ...record.outgoing, switched: false } });
    await network.routing
      .replaceRoute(deliveryRoute(address, bridge))
      .catch((error: unknown) => this.#warn(error, "the route is not changed back yet"));
  }

  #warn(error: unknown, what: string): void {
    this.#context.logger.warn({ migration: this.#task.id, err: error }, what);
  }
}

/** The host's wall clock as the hypervisor stamped it; ours where it did not. */
function stampOf(event: GuestEvent | undefined): number {
  const stamp = event?.timestampMs ?? Number.NaN;
  return Number.isNaN(stamp) ? wallClockMs() : stamp;
}
