import type { GuestInstance, StreamFeatures, StreamOffer } from "../hypervisor/hypervisor.ts";
import { delay, wallClockMs } from "../platform/clock.ts";
import { preconditionError } from "../platform/errors.ts";
import type { Logger } from "../platform/log.ts";
import { waitAtMost } from "../platform/waiting.ts";
import { ArrivalAddress } from "./arrival-address.ts";
import { ArrivalJournal } from "./arrival-journal.ts";
import { ArrivalNetwork } from "./arrival-network.ts";
import { ArrivalPostCopy } from "./arrival-post-copy.ts";
import { ArrivalState } from "./arrival-state.ts";
import { ArrivingFlows } from "./arriving-flows.ts";
import { confirmWithHome } from "./confirm-with-home.ts";
import { checkEpoch } from "./epochs.ts";
import { FollowedProcess, followedProcess } from "./followed-process.ts";
import type { GuestAddresses } from "./guest-addresses.ts";
import { mayHandOver } from "./handover-question.ts";
import type { HostContext } from "./host-context.ts";
import { IncomingProcess, type Listening, type ReceivingProcess } from "./incoming-process.ts";
import {
  incomingRecord,
  landedRecord,
  type Preparation,
  restoreRecord,
} from "./incoming-record.ts";
import { land } from "./landing.ts";
import type { DestinationState } from "./procedures.ts";
import type { GuestRecord } from "./records.ts";
import { resume, resumeUnlessRunning } from "./resume.ts";
import { featuresOf } from "./stream-features.ts";
import type { ExpectedInbound } from "./tap-queue.ts";

type Identity = { id: string; guest: string; epoch: number };

/** How long after the end of an incoming process its source may ask for a new one. */
const renewalGraceMs = 3_000;

/** How long a guest that lacks pages may take to say that it runs. */
const starvingMs = 1_000;

/**
 * The destination's side of one migration. Its QEMU starts paused and runs the guest only through `#takeOver`,
 * which a written abort excludes.
 */
export class DestinationMigration {
  readonly identity: Identity;
  readonly #context: HostContext;
  readonly #logger: Logger;
  readonly #before: GuestRecord | undefined;
  readonly state = new ArrivalState();
  readonly #journal: ArrivalJournal;
  readonly #process: ReceivingProcess;
  readonly #postCopy: ArrivalPostCopy;
  readonly network: ArrivalNetwork;
  readonly flows: ArrivingFlows;
  #landsLate = false;
  /** Wanted for the stream, and for each that replaces it. */
  #features: StreamFeatures | undefined;
  /** The source has promised: only then may a guest run whose stream goes to its end by itself. */
  #isSealed = false;
  /** The process has said so: a guest that stands needs not wait for another question. */
  #isLoaded = false;
  /** A daemon that has just started runs the guest before it has looked at its network. */
  #networkReady: Promise<void> = Promise.resolve();

  constructor(
    context: HostContext,
    identity: Identity & { followed?: boolean | undefined },
    before: GuestRecord | undefined,
  ) {
    this.#context = context;
    this.identity = { id: identity.id, guest: identity.guest, epoch: identity.epoch };
    this.#logger = context.logger.child({ migration: identity.id, guest: identity.guest });
    this.#before = before;
    this.#journal = new ArrivalJournal(
      { journal: context.journal, logger: this.#logger },
      identity,
    );
    this.network = new ArrivalNetwork(context, this.#logger);
    this.flows = new ArrivingFlows(context, this.identity, this.#logger);
    const failed = (what: string) => (error: unknown) => this.#logger.error({ err: error }, what);
    const ended = failed("the abort of an ended process failed");
    const told: ConstructorParameters<typeof IncomingProcess>[1] = {
      onLoaded: () => {
        this.#isLoaded = true;
        this.#takeOver().catch(failed("takeover failed"));
      },
      onEnded: (instance) => this.#noteEnded(instance).catch(ended),
      onStarved: () => this.#logger.warn("the rest of the guest's memory does not come: it waits"),
    };
    const isFollowed = identity.followed === true;
    this.#process = isFollowed
      ? followedProcess(context, told)
      : new IncomingProcess(context, told);
    const { streamAddress, underlayAddress } = context.host;
    const address = streamAddress ?? underlayAddress;
    this.#postCopy = new ArrivalPostCopy(this.#process, address, this.#logger);
  }

  /** Others began it, with libvirt. */
  get isFollowed(): boolean {
    return this.#process instanceof FollowedProcess;
  }

  /** Network, then an empty QEMU that listens. What was made is taken back when a later part fails. */
  async prepare(request: Preparation, peer: string, addresses: GuestAddresses): Promise<Listening> {
    this.#journal.recordPrepared(peer);
    this.#landsLate = request.lands_late;
    using address = new ArrivalAddress(addresses, request);
    try {
      const record = incomingRecord(this.#context, request, peer);
      await confirmWithHome(this.#context, record, peer);
      await this.#context.network.change(record);
      // Once the guest runs here it would be too late to find somebody else's route to it.
      await this.#context.network.plan(landedRecord(record));
      this.#features = request.stream && featuresOf(request.stream);
      const { offer } = request;
      const announced = { offer, features: this.#features };
      const listening = await this.#process.start(this.#current(), announced);
      const given = await address.take(this.#context, () => this.#current());
      if (given !== null) this.#logger.info({ address: given }, "the guest has an address here");
      return listening;
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  /** Replaces the incoming process by a new, empty one. */
  async renew(offer?: StreamOffer): Promise<Listening> {
    if (!this.state.isOpen) throw this.#over();
    this.#isLoaded = false;
    await this.#process.discard();
    const record = this.#current();
    const listening = await this.#process.start(record, { offer, features: this.#features });
    await this.network.prime(record);
    return listening;
  }

  async openBarrier(barrierAddress: string, homeBarrierAddress?: string): Promise<void> {
    const record = this.#current();
    // A request that comes late: the guest's own tap has its MAC address by then.
    if (!record.hosting?.sourceTunnel || record.hosting.stage !== "barrier") throw this.#over();
    const asked = { source: barrierAddress, home: homeBarrierAddress };
    await this.network.openBarrier(this.identity.id, record, asked);
  }

  /** From here on packets for the guest wait in its tap. */
  async closeBarrier(): Promise<void> {
    await this.network.closeBarrier();
    // A stranger's connection that says nothing holds an incoming process up, and that the source's guest.
    await this.#process.instance?.runState();
    const record = this.#current();
    // A request that comes twice, or late: the guest may run here by then.
    if (record.hosting?.stage === "incoming") return;
    if (record.hosting?.stage !== "barrier") throw this.#over();
    await this.#context.network.change({
      ...record,
      hosting: { ...record.hosting, stage: "incoming" },
    });
    if (!this.isFollowed) await this.network.prime(record);
  }

  /** Makes room for packets that will wait in the tap. */
  async expect(inbound: ExpectedInbound): Promise<void> {
    if (this.state.phase !== "incoming") return;
    await this.network.expect(() => this.#current(), inbound);
  }

  /** The source has promised never to run its copy again: takes over what is loaded, or as soon as it is. */
  async seal(): Promise<void> {
    this.#isSealed = true;
    if (this.#isLoaded || (await this.#process.isLoaded())) await this.#takeOver();
  }

  /**
   * Takes over if the stream arrived whole within `graceMs`; otherwise, or when QEMU does not say, aborts. The
   * answer is final. `isPromised`: the source says that it has promised.
   */
  async settle(
    graceMs: number,
    { promised = false, postCopy = false } = {},
  ): Promise<DestinationState> {
    this.#isSealed ||= promised;
    const loaded = this.state.phase === "incoming" && (await this.#process.isLoadedSoon());
    if (loaded) await this.#takeOver();
    const state = await this.state.wait(this.#process.isAlive() ? graceMs : 0);
    if (state.state !== "incoming") return state;
    // The stream may still bring the guest, which its source cannot have back.
    const isAwaited = postCopy && this.#process.isAlive() && !(await this.#process.hasFailed());
    return isAwaited ? state : await this.#abort();
  }

  /** From here on the source may hand the guest over by post-copy, and nobody else can end the arrival. @throws as `#abort`. */
  awaitHandover(): void {
    if (this.state.phase === "incoming" && !this.#journal.has("post-copy")) {
      this.#journal.record("post-copy");
    }
  }

  /** The source is silent. False when it may have handed the guest over: then it is waited for. */
  async giveUp(): Promise<boolean> {
    const mayBeHandedOver = this.#journal.has("post-copy") && this.#process.isAlive();
    if (mayBeHandedOver && !(await this.#process.isLoadedSoon())) {
      if (await mayHandOver(this.#context, this.#current())) return false;
    }
    await this.settle(0);
    return true;
  }

  /** @throws SojournError `SOJ_MIGRATION_OVER` of a guest that was not taken over. */
  get postCopy(): ArrivalPostCopy {
    if (this.state.decision !== "takeover" && this.state.phase !== "taken-over") throw this.#over();
    return this.#postCopy;
  }

  /**
   * Ends the incoming process, then writes the abort, then removes what was prepared. After a takeover nothing
   * happens; the returned state says so.
   */
  async abort(): Promise<DestinationState> {
    await this.#abort();
    await this.network.settled;
    return this.state.answer();
  }

  /** The same without waiting for the removal. */
  async #abort(): Promise<DestinationState> {
    if (!this.state.isOpen) {
      await this.state.changed;
      return this.state.answer();
    }
    this.state.decision = "abort";
    try {
      await this.#process.end();
      this.#journal.record("abort");
    } catch (error) {
      this.state.decision = null;
      // libvirt may have let it run while its end was waited for, and says so once.
      if (this.isFollowed && this.#isLoaded) await this.#takeOver();
      throw error;
    }
    this.state.become("aborted");
    this.#logger.info("incoming guest aborted");
    this.network.remove(async () => {
      await this.flows.forget();
      await restoreRecord(this.#context, this.identity, this.#before);
    });
    return this.state.answer();
  }

  /** Resolves once this host's network follows the guest. */
  async networkSettled(): Promise<void> {
    if (this.state.decision === "takeover") await this.state.changed;
    this.network.land();
    await this.network.settled;
  }

  /** Resolves once a home that is a third host sends the guest's packets here. @throws SojournError `SOJ_HOME_UNTOLD`. */
  async homeFollows(): Promise<void> {
    await this.networkSettled();
    if (this.state.phase !== "taken-over") throw this.#over();
    await this.#context.homes.told(this.identity.guest);
  }

  /** The source is retired. */
  async finish(): Promise<void> {
    await this.networkSettled();
    const record = this.#current();
    if (record.hosting === null || this.state.phase !== "taken-over") throw this.#over();
    const landed = landedRecord(record);
    await this.#context.network.change({
      ...landed,
      hosting: { ...landed.hosting, stage: "running", sourceTunnel: null },
      migration: null,
    });
    this.#journal.recordFinished();
    await this.#context.guests.forgetEnded();
  }

  /** Goes on with a process that an earlier daemon prepared: takes over what is loaded, aborts the rest. */
  async recover(
    instance: GuestInstance | undefined,
    takenOver: boolean,
    networkReady: Promise<void>,
  ): Promise<void> {
    this.#networkReady = networkReady;
    if (this.#process instanceof FollowedProcess && !takenOver) {
      await this.#goOnFollowing(this.#process, instance);
      return;
    }
    if (instance === undefined && !takenOver) {
      await this.abort();
      return;
    }
    if (instance === undefined) {
      this.state.become("taken-over");
      return;
    }
    this.#process.adopt(instance);
    if (takenOver) {
      // From the first moment: nothing may abort what is taken over, however long its monitor is silent.
      this.state.decision = "takeover";
      void this.#complete(instance, this.#current(), resumeUnlessRunning);
      return;
    }
    try {
      // What an earlier daemon knew of the source's promise is lost: the source runs its copy once this one has ended.
      const isForUs = instance.sealsStream !== true && (await this.#process.isLoaded());
      if (isForUs) await this.#takeOver();
      else if (!this.#journal.has("post-copy")) await this.abort();
    } catch (error) {
      if (instance.isAlive()) throw error;
      await this.recover(undefined, takenOver, networkReady);
    }
  }

  /** libvirt has gone on meanwhile: the guest runs here, is still to come, or has stayed where it was. */
  async #goOnFollowing(process: FollowedProcess, instance?: GuestInstance): Promise<void> {
    await process.start(this.#current());
    if (instance !== undefined) process.adopt(instance);
    if (await process.isLoadedSoon()) await this.#takeOver();
  }

  /** A source that gives up one stream for a new one ends our process first and asks for another afterwards. */
  async #noteEnded(instance: GuestInstance): Promise<void> {
    const isExpected = () => this.#process.instance !== instance || this.state.phase !== "incoming";
    if (isExpected()) return;
    this.#logger.warn("the incoming process ended before it held the guest");
    await Promise.race([delay(renewalGraceMs), this.state.changed]);
    if (!isExpected() && this.state.decision !== "abort") await this.abort();
  }

  async #takeOver(): Promise<void> {
    const { instance } = this.#process;
    if (instance === null || this.state.phase !== "incoming") return;
    const runsAlready = this.#process.resumedMs !== undefined;
    if (!runsAlready && instance.sealsStream === true && !this.#isSealed) return;
    // An operator has kept it at its source: the abort follows.
    if (this.state.decision === "abort" || this.#journal.has("resolved-source")) return;
    if (this.state.decision === "takeover") return await this.state.changed;
    // A process that died once it had loaded everything can run nothing: the source still can, if it is told at once.
    if (!instance.isAlive() || instance.isProcessGone?.() === true) {
      await this.abort();
      return;
    }
    const record = this.#current();
    this.state.decision = "takeover";
    try {
      this.#journal.record("takeover");
    } catch (error) {
      this.state.decision = null;
      throw error;
    }
    this.state.takeoverMs = wallClockMs();
    await this.#complete(instance, record, resume);
  }

  /** What follows the recorded takeover: the guest runs, and the network follows it. */
  async #complete(instance: GuestInstance, record: GuestRecord, run: typeof resume): Promise<void> {
    if (record.migration?.resume) await this.#run(instance, run);
    else this.state.resumeMs = this.#process.resumedMs ?? null;
    this.network.willLand(async () => {
      await this.#networkReady;
      await land(this.#context, record);
      this.#context.homes.tell(record.guest);
    });
    if (!this.#landsLate) this.network.land();
    this.state.become("taken-over");
    this.#logger.info("guest taken over");
    await instance
      .announceSelf()
      .catch((error: unknown) => this.#logger.warn({ err: error }, "no self-announcement"));
  }

  /** A monitor that waits for missing pages says nothing before its source has heard of the takeover, and sends them. */
  async #run(instance: GuestInstance, run: typeof resume): Promise<void> {
    const running = run(instance, this.#logger).then((resumeMs) => {
      this.state.resumeMs = resumeMs;
    });
    if (this.#journal.has("post-copy")) await waitAtMost(starvingMs, running);
    else await running;
  }

  #current() {
    const record = this.#context.records.get(this.identity.guest);
    checkEpoch(record, this.identity, "destination");
    return record;
  }

  #over(): Error {
    return preconditionError(
      "SOJ_MIGRATION_OVER",
      `migration ${this.identity.id} is ${this.state.phase} at ${this.#context.host.name}`,
    );
  }
}
