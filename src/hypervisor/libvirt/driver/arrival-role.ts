import { delay } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/log.ts";
import type { MigrationStatus, StreamAnswer } from "../../hypervisor.ts";
import { DomainState, PausedReason } from "../rpc/constants/domain-state.ts";
import { LibvirtCallError } from "../rpc/errors.ts";
import type { Arrival } from "./arrival-description.ts";
import type { DomainHandle } from "./domain-handle.ts";
import { goneError, isGone } from "./errors.ts";
import { type IncomingOptions, IncomingStream } from "./incoming-stream.ts";
import { isRunning } from "./run-state.ts";

/** Between two questions whether a domain is there whose last phase was not answered. */
const lookAgainMs = 200;

/** A domain as it arrives: from before libvirt has started its QEMU until the stream is loaded. */
export class ArrivalRole {
  status: MigrationStatus = "none";
  readonly #arrival: Arrival;
  readonly #handle: DomainHandle;
  readonly #options: Omit<IncomingOptions, "link">;
  readonly #logger: Logger;
  readonly #onArrived: () => void;
  #preparing: Promise<IncomingStream> | null = null;
  #stream: IncomingStream | null = null;
  #finishing: Promise<void> | null = null;
  #isAbandoned = false;

  constructor(
    arrival: Arrival,
    handle: DomainHandle,
    given: Omit<IncomingOptions, "link"> & { logger: Logger; onArrived: () => void },
  ) {
    this.#arrival = arrival;
    this.#handle = handle;
    this.#options = given;
    this.#logger = given.logger;
    this.#onArrived = given.onArrived;
  }

  /** libvirt has a domain for it, which is ours to end. */
  get hasDomain(): boolean {
    return this.#stream !== null;
  }

  get hasArrived(): boolean {
    return this.status === "completed";
  }

  /** Starts the QEMU that awaits the stream. */
  async listen(address: string): Promise<{ port: number; answer: StreamAnswer }> {
    const { link, guest } = this.#handle;
    if (this.#isAbandoned || this.#preparing !== null) throw goneError(guest);
    this.#preparing = IncomingStream.prepare({ ...this.#options, link }, this.#arrival, address);
    this.#stream = await this.#preparing;
    if (this.#isAbandoned) {
      this.#stream.close();
      throw goneError(guest);
    }
    if (this.status === "none") this.status = "setup";
    const { port, answer } = this.#stream;
    return { port, answer };
  }

  /** What QEMU says of its side of the stream; true when it is told on as it is. */
  noteQemuStatus(status: MigrationStatus): boolean {
    if (this.hasArrived) return true;
    if (status === "completed") {
      this.#finishing ??= this.#finish();
      return false;
    }
    this.status = status;
    return true;
  }

  /** Nobody waits for it any more: what libvirt has not finished it ends, when this connection has. */
  async abandon(): Promise<void> {
    this.#isAbandoned = true;
    await this.#preparing?.catch(() => {});
  }

  close(): void {
    this.#stream?.close();
  }

  async #finish(): Promise<void> {
    const stream = this.#stream ?? (await this.#preparing);
    try {
      await stream?.finish();
    } catch (error) {
      this.#logger.warn(
        { guest: this.#handle.guest, err: error },
        "libvirt did not finish the stream",
      );
      const isThere = !(error instanceof LibvirtCallError) && (await this.#isFinished());
      stream?.close();
      if (!isThere) {
        this.status = "failed";
        return;
      }
    }
    this.status = "completed";
    this.#onArrived();
  }

  /** What has become of a domain whose last phase was not answered; false too when it has gone. */
  async #isFinished(): Promise<boolean> {
    while (!this.#isAbandoned && !this.#handle.link.isDisposed) {
      try {
        const reply = await this.#handle.state();
        const isPaused = reply.state === DomainState.paused;
        if (isRunning(reply)) return true;
        if (!isPaused || reply.reason !== PausedReason.migration) return isPaused;
      } catch (error) {
        if (isGone(error)) return false;
      }
      await delay(lookAgainMs);
    }
    return false;
  }
}
