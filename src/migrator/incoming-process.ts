import type {
  GuestEvent,
  GuestInstance,
  StreamAnswer,
  StreamFeatures,
  StreamOffer,
} from "../hypervisor/hypervisor.ts";
import { delay, monotonicMs } from "../platform/clock.ts";
import type { HostContext } from "./host-context.ts";
import { attachmentOf } from "./network.ts";
import { isFollowing } from "./post-copy-status.ts";
import type { GuestRecord } from "./records.ts";

/** How long a guest's devices may take to be loaded once all of them are there. */
const loadingMs = 5_000;

/** How long the monitor may take to say whether the stream is loaded when the source asks for a final word. */
const settleQuestionMs = 300;

export type ArrivingRecord = GuestRecord & { migration: NonNullable<GuestRecord["migration"]> };

/** Where a process waits for its guest, and what its hypervisor answers to the source's. */
export interface Listening {
  port: number;
  answer?: StreamAnswer;
  /** What it has set of what the stream may use. */
  features?: StreamFeatures;
}

/** What a source says of its stream. */
export interface Announced {
  offer?: StreamOffer | undefined;
  features?: StreamFeatures | undefined;
}

/** What receives a guest. */
export interface ReceivingProcess {
  readonly instance: GuestInstance | null;
  /** Wall clock, of a guest that runs without having been told to by this host; absent where only this host lets it run. */
  readonly resumedMs?: number | null;
  start(record: ArrivingRecord, announced?: Announced): Promise<Listening>;
  adopt(instance: GuestInstance): void;
  discard(): Promise<void>;
  end(): Promise<void>;
  isAlive(): boolean;
  isLoaded(): Promise<boolean>;
  isLoadedSoon(): Promise<boolean>;
  hasFailed(): Promise<boolean>;
}

/** The QEMU process that receives a guest: paused, one at a time, replaced when its stream was given up. */
export class IncomingProcess implements ReceivingProcess {
  readonly #context: Pick<HostContext, "host" | "guests">;
  readonly #onLoaded: () => void;
  readonly #onEnded: (instance: GuestInstance) => void;
  readonly #onStarved: () => void;
  #instance: GuestInstance | null = null;

  constructor(
    context: Pick<HostContext, "host" | "guests">,
    told: {
      /** The stream is loaded. */
      onLoaded: () => void;
      /** A process has ended, whoever ended it. */
      onEnded: (instance: GuestInstance) => void;
      /** The rest of the guest's memory does not come. */
      onStarved: () => void;
    },
  ) {
    this.#context = context;
    this.#onLoaded = told.onLoaded;
    this.#onEnded = told.onEnded;
    this.#onStarved = told.onStarved;
  }

  get instance(): GuestInstance | null {
    return this.#instance;
  }

  /** Starts an empty process. */
  async start(record: ArrivingRecord, announced: Announced = {}): Promise<Listening> {
    const { guests, host } = this.#context;
    const { tap } = attachmentOf(host, record);
    const nics = [{ tapName: tap }];
    const { offer, features } = announced;
    const instance = await guests.hypervisor.startIncoming(record.definition, nics, offer);
    this.adopt(instance);
    const { peer } = record.migration;
    const address = host.streamAddress ?? host.underlayAddress;
    return await instance.listenForMigration(address, peer, features);
  }

  /** Follows a process that is there. */
  adopt(instance: GuestInstance): void {
    this.#instance = instance;
    this.#context.guests.adopt(instance);
    const ended = new AbortController();
    void this.#follow(instance.events(ended.signal));
    void instance.ended.then(() => {
      ended.abort();
      this.#onEnded(instance);
    });
  }

  /** Ends the process, which is then no longer ours; nothing when there is none. One that cannot be ended stays ours. */
  async discard(): Promise<void> {
    const instance = this.#instance;
    if (instance === null) return;
    this.#instance = null;
    try {
      await instance.quit(0);
    } catch (error) {
      this.#instance = instance;
      throw error;
    }
    this.#context.guests.release(instance);
    await instance[Symbol.asyncDispose]();
  }

  /** Ends the process for good; it stays ours, and the guest's, until it has ended. */
  async end(): Promise<void> {
    const instance = this.#instance;
    if (instance === null) return;
    await instance.quit(0);
    this.#context.guests.release(instance);
    await instance[Symbol.asyncDispose]();
  }

  isAlive(): boolean {
    return this.#instance?.isAlive() ?? false;
  }

  /** Whether the guest can run: all of it is there, or by post-copy what it cannot run without. */
  async isLoaded(): Promise<boolean> {
    const instance = this.#instance;
    if (instance === null || !instance.isAlive()) return false;
    const { status } = await instance.migrationProgress();
    if (!isFollowing(status)) return status === "completed";
    if (!(await isRunnable(instance))) return false;
    // A stream that broke while the devices were loaded has failed, and nothing may run what it left.
    const { status: last } = await instance.migrationProgress();
    return last === "completed" || isFollowing(last);
  }

  /** Whether its stream has broken before the guest could run; false when QEMU does not say. */
  async hasFailed(): Promise<boolean> {
    const silent = delay(settleQuestionMs).then(() => false);
    const failed = this.#instance?.migrationProgress().then(({ status }) => status === "failed");
    return await Promise.race([failed?.catch(() => false) ?? true, silent]);
  }

  /** False too when QEMU does not say: the source's guest stands meanwhile, and an abort ends the process first. */
  async isLoadedSoon(): Promise<boolean> {
    const silent = delay(settleQuestionMs).then(() => false);
    return await Promise.race([this.isLoaded().catch(() => false), silent]);
  }

  async #follow(events: AsyncIterable<GuestEvent>): Promise<void> {
    for await (const event of events) {
      if (event.name !== "MIGRATION") continue;
      if (event.data.status === "completed") this.#onLoaded();
      if (event.data.status === "postcopy-active") void this.#noteRunnable();
      if (event.data.status === "postcopy-paused") this.#onStarved();
    }
  }

  async #noteRunnable(): Promise<void> {
    const isLoaded = await this.isLoaded().catch(() => false);
    if (isLoaded) this.#onLoaded();
  }
}

/** QEMU tells of post-copy before it has loaded the guest's devices, which it has received by then. */
async function isRunnable(instance: GuestInstance): Promise<boolean> {
  const deadlineMs = monotonicMs() + loadingMs;
  while (instance.isAlive()) {
    if ((await instance.runState()) !== "inmigrate") return true;
    if (monotonicMs() > deadlineMs) return false;
    await delay(1);
  }
  return false;
}
