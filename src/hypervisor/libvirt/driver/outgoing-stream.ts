import { delay } from "../../../platform/clock.ts";
import { reasonOf } from "../../../platform/errors.ts";
import type { Logger } from "../../../platform/log.ts";
import type {
  MigrationStatus,
  OutgoingParameters,
  StreamAnswer,
  StreamOffer,
  ThrottleParameters,
} from "../../hypervisor.ts";
import type { LibvirtConnection } from "../rpc/connection.ts";
import { LibvirtErrorCode } from "../rpc/constants/error-codes.ts";
import { LibvirtCallError } from "../rpc/errors.ts";
import { type MigrationParameters, migrationParameters } from "../rpc/migration-parameters.ts";
import { domainAbortJob } from "../rpc/procedures/jobs.ts";
import {
  domainMigrateBegin,
  domainMigrateConfirm,
  domainMigratePerform,
} from "../rpc/procedures/migration.ts";
import type { DomainHandle } from "./domain-handle.ts";
import { isGone, isInvalidNow } from "./errors.ts";
import { isGoingOut } from "./job-statistics.ts";
import type { StreamOptions } from "./libvirt-hypervisor.ts";
import { bandwidthMibps, streamFlags, streamUri } from "./stream-parameters.ts";

export interface OutgoingContext {
  handle: DomainHandle;
  stream: StreamOptions;
  logger: Logger;
  /** The stream has got a status that libvirt, not QEMU, decides on. */
  onStatus: (status: "pre-switchover" | "failed" | "cancelled") => void;
}

export interface StreamTarget {
  address: string;
  port: number;
  /** Its name, which its certificate must have. */
  host: string;
}

/** Between two looks at a job whose connection was lost. */
const lookAgainMs = 200;
/** How long libvirt may take to end the source's QEMU, or to take its domain back. */
const confirmTimeoutMs = 30_000;
/** A job that cannot be aborted yet is told again. */
const [abortAgainMs, mostAborts] = [50, 20];
const none = new Uint8Array(0);

/**
 * The source's phases of one migration, on a connection of their own: begin, perform, confirm. libvirt resumes the
 * guest by itself as long as perform has not succeeded, and never after.
 */
export class OutgoingStream {
  readonly offer: StreamOffer;
  status: MigrationStatus = "setup";
  /** libvirt's own words when the status is `failed`. */
  errorText: string | null = null;
  readonly #context: OutgoingContext;
  readonly #connection: LibvirtConnection;
  readonly #destinationHost: string;
  #phase: "begun" | "sending" | "arrived" | "over" = "begun";
  #isAborted = false;
  #isConfirming = false;
  #isLetGo = false;
  #performing: Promise<void> | null = null;

  /**
   * The first phase: from here on libvirt keeps others from changing the domain.
   * @throws LibvirtCallError; SojournError `SOJ_HYPERVISOR_DISCONNECTED`, `SOJ_HYPERVISOR_TIMEOUT`
   */
  static async begin(context: OutgoingContext, destinationHost: string): Promise<OutgoingStream> {
    const { handle, stream } = context;
    const { domain } = handle;
    const connection = await handle.link.open();
    try {
      const parameters = migrationParameters({ destinationName: domain.name });
      const flags = streamFlags(stream);
      const begun = await connection.call(domainMigrateBegin, { domain, parameters, flags });
      const cookie = Buffer.from(begun.cookie).toString("base64");
      const offer = { description: begun.xml, cookie };
      return new OutgoingStream(context, connection, destinationHost, offer);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  private constructor(
    context: OutgoingContext,
    connection: LibvirtConnection,
    destinationHost: string,
    offer: StreamOffer,
  ) {
    this.#context = context;
    this.#connection = connection;
    this.#destinationHost = destinationHost;
    this.offer = offer;
    void connection.closed.then((reason) => this.#onLost(reason));
  }

  /** Perform is under way. */
  get isSending(): boolean {
    return this.#phase === "sending";
  }

  /** All of the guest is at the destination, and libvirt waits for the word. */
  get hasArrived(): boolean {
    return this.#phase === "arrived";
  }

  get isOver(): boolean {
    return this.#phase === "over";
  }

  /** Resolves when perform has ended, however it ended; `status` says how. */
  get performed(): Promise<void> {
    return this.#performing ?? Promise.resolve();
  }

  /** The second phase; how it ends is told by `onStatus`. @throws Error unless it was begun to this host. */
  perform(
    { address, port, host }: StreamTarget,
    answer: StreamAnswer,
    { maxBandwidthBytesPerSecond }: Pick<OutgoingParameters, "maxBandwidthBytesPerSecond">,
    throttle: ThrottleParameters | null,
  ): void {
    if (this.#phase !== "begun" || host !== this.#destinationHost) {
      throw new Error(`no stream to ${host} was begun`);
    }
    const args = {
      domain: this.#context.handle.domain,
      destinationUri: null,
      parameters: this.#parameters({
        uri: streamUri(address, port),
        bandwidthMibps: bandwidthMibps(maxBandwidthBytesPerSecond),
        ...autoConverge(throttle),
      }),
      cookie: Buffer.from(answer.cookie, "base64"),
      flags: streamFlags({ ...this.#context.stream, autoConverge: throttle !== null }),
    };
    this.#phase = "sending";
    const sent = this.#connection.call(domainMigratePerform, args, { timeoutMs: null });
    this.#performing = sent.then(
      () => this.#end("arrived", "pre-switchover"),
      (error: unknown) => this.#fail(error),
    );
  }

  /** What QEMU says of its side of the stream; true when it is told on as it is. */
  noteQemuStatus(status: MigrationStatus): boolean {
    // libvirt goes on from there by itself, and has not decided yet when QEMU has.
    const isForLibvirt = ["pre-switchover", "completed", "failed", "cancelled"].includes(status);
    if (isForLibvirt || !this.isSending) return false;
    this.status = status;
    return true;
  }

  /** Takes the stream back, whatever phase it is in; libvirt lets the guest go on if it stopped it, or we did. */
  async abort(): Promise<void> {
    this.#isAborted = true;
    if (this.isSending) await this.#abortJob();
    // Also one that arrived while it was being aborted.
    if (!this.isSending && !this.isOver) await this.#confirm(true);
  }

  /**
   * The last phase: the guest is the destination's for good, and libvirt ends this QEMU. False when libvirt could not be
   * told so, for example because it was restarted.
   */
  async confirm(): Promise<boolean> {
    return await this.#confirm(false);
  }

  /** Nobody follows it any more; what libvirt then does by itself depends on the phase. */
  letGo(): void {
    this.#isLetGo = true;
    // The domain's end is told before the answer to the word that ends it.
    if (!this.#isConfirming) this.#connection.close();
  }

  async #abortJob(): Promise<void> {
    const { handle } = this.#context;
    for (let attempt = 0; attempt < mostAborts && this.isSending; attempt++) {
      try {
        await handle.call(domainAbortJob, {});
        return;
      } catch (error) {
        // It has just ended, or has not quite begun.
        if (!isInvalidNow(error)) throw error;
      }
      await delay(abortAgainMs);
    }
  }

  async #confirm(isCancelled: boolean): Promise<boolean> {
    const { handle, logger, stream } = this.#context;
    const { domain } = handle;
    const args = {
      domain,
      parameters: this.#parameters({}),
      cookie: none,
      flags: streamFlags(stream),
      cancelled: isCancelled ? 1 : 0,
    };
    const hadArrived = this.hasArrived;
    this.#isConfirming = true;
    try {
      await this.#connection.call(domainMigrateConfirm, args, { timeoutMs: confirmTimeoutMs });
      return true;
    } catch (error) {
      logger.warn(
        { domain: domain.name, err: error },
        "libvirt did not end the migration as asked",
      );
      return false;
    } finally {
      if (isCancelled && hadArrived) this.#end("over", "cancelled");
      else this.#phase = "over";
      this.status = isCancelled ? "cancelled" : this.status;
      this.#isConfirming = false;
      this.#connection.close();
    }
  }

  async #fail(error: unknown): Promise<void> {
    this.errorText = reasonOf(error);
    if (error instanceof LibvirtCallError) this.errorText = error.description;
    else await this.#settleLost(error);
    if (this.#isLetGo) return;
    const isCancelled =
      this.#isAborted ||
      (error instanceof LibvirtCallError &&
        error.libvirtCode === LibvirtErrorCode.operationAborted);
    this.#end("over", isCancelled ? "cancelled" : "failed");
    this.#connection.close();
  }

  /** libvirt goes on alone when it loses us: what it does is ended before the stream counts as failed. */
  async #settleLost(error: unknown): Promise<void> {
    const { handle, logger } = this.#context;
    const { guest } = handle;
    logger.warn({ guest, err: error }, "a stream is out of our hands: it is ended");
    while (!this.#isLetGo) {
      try {
        if (!isGoingOut(await handle.job())) return;
        await handle.call(domainAbortJob, {});
      } catch (failure) {
        if (isGone(failure) || isInvalidNow(failure)) return;
      }
      await delay(lookAgainMs);
    }
  }

  #end(phase: "arrived" | "over", status: "pre-switchover" | "failed" | "cancelled"): void {
    this.#phase = phase;
    this.status = status;
    this.#context.onStatus(status);
  }

  #onLost(reason: Error): void {
    // A job that was only begun ends with its connection; perform tells of its own end.
    if (this.#phase === "begun") this.#phase = "over";
    if (this.#phase === "over" && this.status === "setup") {
      this.status = "failed";
      this.errorText = reasonOf(reason);
    }
  }

  #parameters(more: MigrationParameters) {
    const { handle, stream } = this.#context;
    return migrationParameters({
      destinationName: handle.domain.name,
      ...(stream.tls ? { tlsDestination: this.#destinationHost } : {}),
      ...more,
    });
  }
}

/** libvirt has no word for the furthest: QEMU's own 99 percent. */
function autoConverge(throttle: ThrottleParameters | null): MigrationParameters {
  if (throttle === null) return {};
  const { initialPercent, incrementPercent } = throttle;
  return { autoConvergeInitial: initialPercent, autoConvergeIncrement: incrementPercent };
}
