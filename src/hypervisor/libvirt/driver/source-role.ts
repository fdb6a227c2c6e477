import { delay } from "../../../platform/clock.ts";
import { SojournError } from "../../../platform/errors.ts";
import { AsyncLock } from "../../../platform/lock.ts";
import type { Logger } from "../../../platform/log.ts";
import type {
  MigrationProgress,
  MigrationStatus,
  OutgoingParameters,
  OutgoingPreparation,
  StreamAnswer,
  StreamOffer,
  ThrottleParameters,
} from "../../hypervisor.ts";
import { LibvirtCallError } from "../rpc/errors.ts";
import { domainAbortJob } from "../rpc/procedures/jobs.ts";
import {
  domainMigrateSetMaxDowntime,
  domainMigrateSetMaxSpeed,
} from "../rpc/procedures/migration.ts";
import type { DomainHandle } from "./domain-handle.ts";
import { isInvalidNow, refusedError } from "./errors.ts";
import { isGoingOut, type JobStatistics, progressOf } from "./job-statistics.ts";
import type { StreamOptions } from "./libvirt-hypervisor.ts";
import { type OutgoingContext, OutgoingStream, type StreamTarget } from "./outgoing-stream.ts";
import { bandwidthMibps, downtimeMs } from "./stream-parameters.ts";

/** How long a stream may take until QEMU sends; libvirt connects to the destination first. */
const underWayMs = 15_000;
/** Between two looks whether it does, besides QEMU's own word. */
const lookMs = 250;

/** A domain as the source of migrations: one stream at a time. */
export class SourceRole {
  readonly #handle: DomainHandle;
  readonly #options: StreamOptions;
  readonly #logger: Logger;
  readonly #onStatus: OutgoingContext["onStatus"];
  readonly #parametersLock = new AsyncLock();
  #stream: OutgoingStream | null = null;
  #parameters: OutgoingParameters = { downtimeLimitMs: 1, maxBandwidthBytesPerSecond: 0 };
  #throttle: ThrottleParameters | null = null;
  #latest: JobStatistics | null = null;
  /** The job that goes out is an earlier daemon's. */
  #isInherited = false;
  #isUnderWay = Promise.withResolvers<void>();

  constructor(
    handle: DomainHandle,
    given: { stream: StreamOptions; logger: Logger; onStatus: OutgoingContext["onStatus"] },
  ) {
    this.#handle = handle;
    this.#options = given.stream;
    this.#logger = given.logger;
    this.#onStatus = given.onStatus;
  }

  /** A stream was begun, and is not over. */
  get isBusy(): boolean {
    return this.#stream !== null && !this.#stream.isOver;
  }

  get isSending(): boolean {
    return this.#stream?.isSending ?? false;
  }

  get hasArrived(): boolean {
    return this.#stream?.hasArrived ?? false;
  }

  /** Begins a stream, in place of an earlier one. */
  async offer(destinationHost: string): Promise<StreamOffer> {
    if (this.isSending || this.hasArrived) {
      throw refusedError(
        this.#handle.guest,
        "is being sent already",
        "the stream has to end first",
      );
    }
    await this.#stream?.abort();
    const context = {
      ...{ handle: this.#handle, stream: this.#options, logger: this.#logger },
      onStatus: this.#onStatus,
    };
    this.#stream = await OutgoingStream.begin(context, destinationHost);
    this.#latest = null;
    this.#isUnderWay = Promise.withResolvers();
    return this.#stream.offer;
  }

  /** For the next stream. */
  async prepare(preparation: OutgoingPreparation): Promise<void> {
    const { throttle = null, downtimeLimitMs, maxBandwidthBytesPerSecond } = preparation;
    this.#throttle = throttle;
    await this.setParameters({ downtimeLimitMs, maxBandwidthBytesPerSecond });
  }

  /** Remembered until a stream runs; of one that has ended nothing can be changed any more. */
  async setParameters(parameters: Partial<OutgoingParameters>): Promise<void> {
    const { downtimeLimitMs, maxBandwidthBytesPerSecond } = parameters;
    if (downtimeLimitMs !== undefined) downtimeMs(downtimeLimitMs);
    if (maxBandwidthBytesPerSecond !== undefined) bandwidthMibps(maxBandwidthBytesPerSecond);
    this.#parameters = { ...this.#parameters, ...parameters };
    if (this.isSending) await this.#parametersLock.run(() => this.#apply(parameters));
  }

  /**
   * Sends the guest; resolves when QEMU does.
   * @throws SojournError `SOJ_STREAM_REFUSED`, `SOJ_STREAM_SILENT`, `SOJ_HYPERVISOR_REFUSED` without an offer and its
   * answer
   */
  async send(target: StreamTarget, answer: StreamAnswer | undefined): Promise<void> {
    const stream = this.#stream;
    if (stream === null || stream.isOver || answer === undefined) {
      const hint = "migrate it again";
      throw refusedError(
        this.#handle.guest,
        "is not to be sent: no stream of it was agreed on",
        hint,
      );
    }
    stream.perform(target, answer, this.#parameters, this.#throttle);
    const isInTime = await this.#awaitUnderWay(stream);
    if (stream.hasArrived) return;
    if (stream.isOver) throw streamRefused(target, stream.errorText, this.#options.tls);
    if (isInTime) return;
    await stream.abort();
    throw streamSilent(target);
  }

  /** What QEMU says of its side of the stream; true when it is told on as it is. */
  noteQemuStatus(status: MigrationStatus): boolean {
    if (this.#stream === null || this.#stream.isOver) return true;
    const isTold = this.#stream.noteQemuStatus(status);
    if (status === "active" && isTold) this.#isUnderWay.resolve();
    return isTold;
  }

  /** Null when nothing is known of a stream of ours. */
  async progress(): Promise<MigrationProgress | null> {
    if (this.isBusy || this.#isInherited) {
      const job = await this.#handle.job();
      const isOut = isGoingOut(job);
      if (isOut) this.#latest = job;
      this.#isInherited &&= isOut;
      if (this.#isInherited) return progressOf(job, "active", null);
    }
    return this.#stream && progressOf(this.#latest, this.#stream.status, this.#stream.errorText);
  }

  /** Of a stream that this driver has not begun; who did, libvirt does not tell. */
  async othersProgress(): Promise<MigrationProgress> {
    const job = this.isBusy ? null : await this.#handle.job();
    return job !== null && isGoingOut(job)
      ? progressOf(job, "active", null)
      : progressOf(null, "none", null);
  }

  /** A stream that goes out now is an earlier daemon's; one that begins later without us is somebody else's. */
  async inherit(): Promise<void> {
    this.#isInherited = this.#stream === null && isGoingOut(await this.#handle.job());
  }

  /** Takes the stream back, or ends one that an earlier daemon has begun; nothing without one. */
  async cancel(): Promise<void> {
    if (this.#stream !== null && !this.#stream.isOver) return await this.#stream.abort();
    if (!this.#isInherited) return;
    try {
      await this.#handle.call(domainAbortJob, {});
    } catch (error) {
      // It has just ended.
      if (!isInvalidNow(error)) throw error;
    }
  }

  /** The guest is the destination's for good. False when libvirt could not be told. */
  async confirm(): Promise<boolean> {
    return (await this.#stream?.confirm()) ?? false;
  }

  /** Nobody follows its stream any more. */
  letGo(): void {
    this.#stream?.letGo();
  }

  async #awaitUnderWay(stream: OutgoingStream): Promise<boolean> {
    const over = new AbortController();
    const late = delay(underWayMs, over.signal).then(
      () => false,
      () => false,
    );
    const seen = this.#isUnderWay.promise.then(() => true);
    const ended = stream.performed.then(() => true);
    try {
      const isInTime = await Promise.race([seen, ended, late, this.#look(stream, over.signal)]);
      if (isInTime && stream.isSending) {
        // Only now: libvirt puts back what it found before, once the stream has failed.
        const { downtimeLimitMs } = this.#parameters;
        await this.#parametersLock.run(() => this.#apply({ downtimeLimitMs }));
      }
      return isInTime;
    } finally {
      over.abort();
    }
  }

  /** Whether QEMU sends shows in the job too, should its word not come. */
  async #look(stream: OutgoingStream, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      await delay(lookMs, signal).catch(() => {});
      if (signal.aborted) return false;
      const job = await this.#handle.job().catch(() => null);
      if (job !== null && isGoingOut(job) && (job.memoryTotalBytes ?? 0) > 0) {
        stream.noteQemuStatus("active");
        return true;
      }
    }
  }

  async #apply(parameters: Partial<OutgoingParameters>): Promise<void> {
    const { downtimeLimitMs, maxBandwidthBytesPerSecond } = parameters;
    try {
      await Promise.all([
        downtimeLimitMs !== undefined &&
          this.#handle.call(domainMigrateSetMaxDowntime, {
            downtimeMs: BigInt(downtimeMs(downtimeLimitMs)),
            flags: 0,
          }),
        maxBandwidthBytesPerSecond !== undefined &&
          this.#handle.call(domainMigrateSetMaxSpeed, {
            bandwidthMibps: BigInt(bandwidthMibps(maxBandwidthBytesPerSecond)),
            flags: 0,
          }),
      ]);
    } catch (error) {
      if (this.isSending || !(error instanceof LibvirtCallError)) throw error;
    }
  }
}

function streamRefused(target: StreamTarget, words: string | null, tls: boolean): SojournError {
  const { host, address, port } = target;
  const message = `no stream to ${host} (${address}:${port}): ${words ?? "libvirt did not say why"}`;
  return new SojournError("SOJ_STREAM_REFUSED", message, {
    hint: tls
      ? "libvirt needs certificates of one authority on both hosts that name them (migrate_tls_x509_cert_dir)"
      : "libvirt's log on both hosts may tell more",
  });
}

function streamSilent({ host, address, port }: StreamTarget): SojournError {
  const message = `no stream to ${host} (${address}:${port}) came about within ${underWayMs / 1000} s`;
  return new SojournError("SOJ_STREAM_SILENT", message, {
    retryable: true,
    hint: "is the destination overloaded, or the path to it cut?",
  });
}
