import type { GuestEvent, GuestInstance } from "../hypervisor/hypervisor.ts";
import { delay, startTimer, wallClockMs } from "../platform/clock.ts";
import { preconditionError } from "../platform/errors.ts";
import type { Logger } from "../platform/log.ts";
import type { BarrierEnd } from "../routing/desired.ts";
import { checkEpoch } from "./epochs.ts";
import type { HostContext } from "./host-context.ts";
import { incomingRecord, type Preparation } from "./incoming-record.ts";
import { land } from "./landing.ts";
import { attachmentOf } from "./network.ts";
import type { DestinationState } from "./procedures.ts";
import type { GuestRecord } from "./records.ts";
import { resume, resumeUnlessRunning } from "./resume.ts";
import { type ExpectedInbound, TapQueue } from "./tap-queue.ts";

type Identity = { id: string; guest: string; epoch: number };

/** How long after the end of an incoming process its source may ask for a new one. */
const renewalGraceMs = 3_000;

/** How long the monitor may take to say whether the stream is loaded when the source asks for a final word. */
const settleQuestionMs = 300;

/**
 * The destination's side of one migration. Its QEMU starts paused and runs the guest only through `#takeOver`,
 * which a written abort excludes (DESIGN 3).
 */
export class DestinationMigration {
  readonly identity: Identity;
  readonly #context: HostContext;
  readonly #logger: Logger;
  readonly #before: GuestRecord | undefined;
  #phase: DestinationState["state"] = "incoming";
  #aborting = false;
  /** The takeover is recorded, or about to be: no abort any more, though the guest may not run yet. */
  #takingOver = false;
  #takeoverMs: number | null = null;
  #resumeMs: number | null = null;
  #instance: GuestInstance | null = null;
  #barrier: BarrierEnd | null = null;
  #settled: Promise<void> = Promise.resolve();
  #landing: (() => Promise<void>) | null = null;
  #landsLate = false;
  #queue: TapQueue | null = null;
  #changed = Promise.withResolvers<void>();

  constructor(context: HostContext, identity: Identity, before: GuestRecord | undefined) {
    this.#context = context;
    this.identity = { id: identity.id, guest: identity.guest, epoch: identity.epoch };
    this.#logger = context.logger.child({ migration: identity.id, guest: identity.guest });
    this.#before = before;
  }

  /** Network, then an empty QEMU that listens. What was made is taken back when a later part fails. */
  async prepare(request: Preparation, peer: string): Promise<number> {
    this.#record("prepared");
    this.#landsLate = request.lands_late;
    try {
      await this.#context.network.change(incomingRecord(this.#context, request, peer));
      return await this.#startIncoming();
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  /** Replaces the incoming process by a new, empty one. */
  async renew(): Promise<number> {
    const old = this.#instance;
    if (this.#phase !== "incoming" || this.#aborting || this.#takingOver) throw this.#over();
    this.#instance = null;
    if (old !== null) {
      this.#context.guests.release(old);
      await old.quit(0);
      await old[Symbol.asyncDispose]();
    }
    return await this.#startIncoming();
  }

  async openBarrier(barrierAddress: string): Promise<void> {
    const record = this.#current();
    const { address, mac, bridge, atHome } = attachmentOf(this.#context.host, record);
    const tunnel = this.#sourceTunnel(record);
    this.#barrier = await this.#context.network.routing.openBarrierResponder({
      id: this.identity.id,
      guestAddress: address,
      guestMac: mac,
      bridge,
      returnRoute: atHome
        ? { barrierAddress, device: tunnel.interfaceName, via: tunnel.nextHop }
        : null,
    });
  }

  /** From here on packets for the guest wait in its tap. */
  async closeBarrier(): Promise<void> {
    await this.#closeBarrier();
    // A stranger's connection that says nothing holds an incoming process up, and that the source's guest.
    await this.#instance?.runState();
    const record = this.#current();
    if (record.hosting === null) throw this.#over();
    await this.#context.network.change({
      ...record,
      hosting: { ...record.hosting, stage: "incoming" },
    });
  }

  /**
   * Makes room for packets that will wait in the tap. One that cannot be had is no reason to refuse the guest: what
   * it costs is counted.
   */
  async expect(inbound: ExpectedInbound): Promise<void> {
    if (this.#phase !== "incoming") return;
    try {
      const { tap } = attachmentOf(this.#context.host, this.#current());
      this.#queue = new TapQueue(this.#context.network.routing, tap);
      await this.#queue.expect(inbound);
    } catch (error) {
      this.#logger.warn({ err: error }, "the tap's queue is as it was");
    }
  }

  /** Packets for the guest that its tap had no room for since then; null when that is not known. */
  async packetsDropped(): Promise<number | null> {
    return (await this.#queue?.dropped().catch(() => null)) ?? null;
  }

  state(): DestinationState {
    return { state: this.#phase, takeover_ms: this.#takeoverMs, resume_ms: this.#resumeMs };
  }

  /** Resolves when the state is no longer `incoming`, or after `waitMs`. */
  async waitForChange(waitMs: number): Promise<DestinationState> {
    if (this.#phase !== "incoming" || waitMs === 0) return this.state();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = startTimer(resolve, waitMs);
    await Promise.race([this.#changed.promise, promise]);
    timer.cancel();
    return this.state();
  }

  /**
   * Takes over if the stream arrived whole within `graceMs`; otherwise, or when QEMU does not say, aborts. The
   * answer is final.
   */
  async settle(graceMs: number): Promise<DestinationState> {
    const loaded = this.#phase === "incoming" && (await this.#isLoadedSoon());
    if (loaded) await this.#takeOver();
    const mayStillArrive = this.#instance?.isAlive() ?? false;
    const state = await this.waitForChange(mayStillArrive ? graceMs : 0);
    return state.state === "incoming" ? await this.abort() : state;
  }

  /**
   * Ends the incoming process, then writes the abort, then removes what was prepared. After a takeover nothing
   * happens; the returned state says so.
   */
  async abort(): Promise<DestinationState> {
    if (this.#phase !== "incoming" || this.#aborting || this.#takingOver) {
      await this.#changed.promise;
      await this.#settled;
      return this.state();
    }
    this.#aborting = true;
    try {
      await this.#endInstance();
      this.#record("abort");
    } catch (error) {
      this.#aborting = false;
      throw error;
    }
    this.#become("aborted");
    this.#logger.info("incoming guest aborted");
    this.#settled = this.#removeNetwork().catch((error: unknown) =>
      this.#logger.error({ err: error }, "what was prepared for the guest is not removed"),
    );
    await this.#settled;
    return this.state();
  }

  async #endInstance(): Promise<void> {
    const instance = this.#instance;
    if (instance === null) return;
    await instance.quit(0);
    this.#context.guests.release(instance);
    await instance[Symbol.asyncDispose]();
  }

  async #removeNetwork(): Promise<void> {
    await this.#closeBarrier();
    if (this.#before === undefined) await this.#context.network.forget(this.identity.guest);
    else await this.#context.network.change({ ...this.#before, epoch: this.identity.epoch });
  }

  /** Resolves once this host's network follows the guest. */
  async networkSettled(): Promise<void> {
    this.#land();
    await this.#settled;
  }

  /** The source is retired. */
  async finish(): Promise<void> {
    await this.networkSettled();
    const record = this.#current();
    if (record.hosting === null || this.#phase !== "taken-over") throw this.#over();
    await this.#context.network.change({
      ...record,
      hosting: { ...record.hosting, stage: "running", sourceTunnel: null },
      migration: null,
    });
    this.#recordFinished();
    await this.#context.guests.forgetEnded();
  }

  /** Goes on with a process that an earlier daemon prepared: takes over what is loaded, aborts the rest. */
  async recover(instance: GuestInstance | undefined, takenOver: boolean): Promise<void> {
    if (instance === undefined && !takenOver) {
      await this.abort();
      return;
    }
    if (instance === undefined) {
      this.#become("taken-over");
      return;
    }
    this.#attach(instance);
    if (takenOver) {
      // From the first moment: nothing may abort what is taken over, however long its monitor is silent.
      this.#takingOver = true;
      void this.#complete(instance, this.#current(), resumeUnlessRunning);
      return;
    }
    try {
      if (await this.#isLoaded()) await this.#takeOver();
      else await this.abort();
    } catch (error) {
      if (instance.isAlive()) throw error;
      await this.recover(undefined, takenOver);
    }
  }

  async #startIncoming(): Promise<number> {
    const record = this.#current();
    const { tap } = attachmentOf(this.#context.host, record);
    const instance = await this.#context.guests.hypervisor.startIncoming(record.definition, [
      { tapName: tap },
    ]);
    this.#attach(instance);
    const { underlayAddress } = this.#context.host;
    const { port } = await instance.listenForMigration(underlayAddress, record.migration.peer);
    return port;
  }

  #attach(instance: GuestInstance): void {
    this.#instance = instance;
    this.#context.guests.adopt(instance);
    const ended = new AbortController();
    void this.#follow(instance.events(ended.signal));
    void instance.ended.then(() => {
      ended.abort();
      this.#noteEnded(instance).catch((error: unknown) =>
        this.#logger.error({ err: error }, "the abort of an ended process failed"),
      );
    });
  }

  /** A source that gives up one stream for a new one ends our process first and asks for another afterwards. */
  async #noteEnded(instance: GuestInstance): Promise<void> {
    const isExpected = () => this.#instance !== instance || this.#phase !== "incoming";
    if (isExpected()) return;
    this.#logger.warn("the incoming process ended before it held the guest");
    await Promise.race([delay(renewalGraceMs), this.#changed.promise]);
    if (!isExpected() && !this.#aborting) await this.abort();
  }

  async #follow(events: AsyncIterable<GuestEvent>): Promise<void> {
    for await (const event of events) {
      if (event.name !== "MIGRATION" || event.data.status !== "completed") continue;
      this.#takeOver().catch((error: unknown) =>
        this.#logger.error({ err: error }, "takeover failed"),
      );
    }
  }

  async #takeOver(): Promise<void> {
    const instance = this.#instance;
    if (instance === null || this.#phase !== "incoming" || this.#aborting) return;
    if (this.#takingOver) return await this.#changed.promise;
    // A process that died once it had loaded everything can run nothing: the source still can, if it is told at once.
    if (!instance.isAlive()) {
      await this.abort();
      return;
    }
    const record = this.#current();
    this.#takingOver = true;
    try {
      this.#record("takeover");
    } catch (error) {
      this.#takingOver = false;
      throw error;
    }
    this.#takeoverMs = wallClockMs();
    await this.#complete(instance, record, resume);
  }

  /** What follows the recorded takeover: the guest runs, and the network follows it. */
  async #complete(instance: GuestInstance, record: GuestRecord, run: typeof resume): Promise<void> {
    if (record.migration?.resume) this.#resumeMs = await run(instance, this.#logger);
    this.#landing = () => land(this.#context, record);
    if (!this.#landsLate) this.#land();
    this.#become("taken-over");
    this.#logger.info("guest taken over");
    await instance
      .announceSelf()
      .catch((error: unknown) => this.#logger.warn({ err: error }, "no self-announcement"));
  }

  /** The network follows the guest, once; at the latest when the source asks. */
  #land(): void {
    const landing = this.#landing;
    this.#landing = null;
    if (landing === null) return;
    this.#settled = landing().catch((error: unknown) =>
      this.#logger.error({ err: error }, "the network does not follow the guest"),
    );
  }

  async #isLoaded(): Promise<boolean> {
    if (this.#instance === null || !this.#instance.isAlive()) return false;
    return (await this.#instance.migrationProgress()).status === "completed";
  }

  /** False too when QEMU does not say: the source's guest stands meanwhile, and an abort ends the process first. */
  async #isLoadedSoon(): Promise<boolean> {
    const silent = delay(settleQuestionMs).then(() => false);
    return await Promise.race([this.#isLoaded().catch(() => false), silent]);
  }

  async #closeBarrier(): Promise<void> {
    const barrier = this.#barrier;
    this.#barrier = null;
    await barrier?.[Symbol.asyncDispose]();
  }

  #sourceTunnel(record: GuestRecord) {
    const spec = record.hosting?.sourceTunnel;
    if (!spec) throw this.#over();
    return this.#context.network.tunnelInterface(spec);
  }

  #current() {
    const record = this.#context.records.get(this.identity.guest);
    checkEpoch(record, this.identity, "destination");
    return record;
  }

  #become(phase: DestinationState["state"]): void {
    this.#phase = phase;
    this.#changed.resolve();
  }

  /** The record of the guest says the same: what cannot be written is no reason to fail. */
  #recordFinished(): void {
    try {
      this.#record("finished");
    } catch (error) {
      this.#logger.error({ err: error }, "alarm: the journal's record could not be written");
    }
  }

  #record(step: "prepared" | "takeover" | "abort" | "finished"): void {
    const { id, guest, epoch } = this.identity;
    this.#context.journal.append({ step, migration: id, guest, epoch, role: "destination" });
  }

  #over(): Error {
    return preconditionError(
      "SOJ_MIGRATION_OVER",
      `migration ${this.identity.id} is ${this.#phase} at ${this.#context.host.name}`,
    );
  }
}
