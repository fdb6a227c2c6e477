import type { Logger } from "../platform/log.ts";
import { hasAllMemory, listenAgain, type RecoveryAnswer } from "./arrival-post-copy.ts";
import type { ReceivingProcess } from "./incoming-process.ts";

/** The rest of the memory of a guest that runs here already: it follows by post-copy. */
export class ArrivalRest {
  readonly #process: Pick<ReceivingProcess, "instance" | "end">;
  readonly #address: string;
  readonly #logger: Logger;

  /** @param address where this host takes streams. */
  constructor(
    process: Pick<ReceivingProcess, "instance" | "end">,
    address: string,
    logger: Logger,
  ) {
    this.#process = process;
    this.#address = address;
    this.#logger = logger;
  }

  /** Where the source may send it to now. @throws as `listenAgain`. */
  async recover(): Promise<RecoveryAnswer> {
    const { instance } = this.#process;
    if (!instance?.isAlive()) return { state: "gone" };
    return await listenAgain(instance, this.#address);
  }

  /** Nothing of it comes any more. @throws as `hasAllMemory`, and of a process that cannot be ended. */
  async lose(): Promise<"whole" | "ended"> {
    const { instance } = this.#process;
    if (!instance?.isAlive()) return "ended";
    if (await hasAllMemory(instance, this.#address)) return "whole";
    this.#logger.error("alarm: a part of the guest's memory is lost: its process is ended");
    await this.#process.end();
    return "ended";
  }
}
