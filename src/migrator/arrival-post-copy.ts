import type { GuestInstance } from "../hypervisor/hypervisor.ts";
import { delay, monotonicMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import type { Logger } from "../platform/log.ts";
import { retry } from "../platform/retry.ts";
import type { ReceivingProcess } from "./incoming-process.ts";

/** A process whose main loop waits for a missing page does not answer; one that does needs less. */
const answerMs = 500;

/** How long QEMU may take to give a connection up, or to read what has arrived over it. */
const endingMs = 2_000;

/** Between two looks. */
const lookMs = 50;

/** What a source is told that asks where it may send the rest of the guest's memory to. */
export type RecoveryAnswer =
  | { state: "listening"; address: string; port: number }
  | { state: "whole" | "gone" };

/** The post-copy of a guest that runs here already: the rest of its memory follows. */
export class ArrivalPostCopy {
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

  /** Where the source may send the rest to now. @throws as `listenAgain`. */
  async recover(): Promise<RecoveryAnswer> {
    const { instance } = this.#process;
    if (!instance?.isAlive()) return { state: "gone" };
    return await listenAgain(instance, this.#address);
  }

  /** Nothing more comes. @throws as `hasAllMemory`, and of a process that cannot be ended. */
  async lose(): Promise<"whole" | "ended"> {
    const { instance } = this.#process;
    if (!instance?.isAlive()) return "ended";
    if (await hasAllMemory(instance, this.#address)) return "whole";
    this.#logger.error("alarm: a part of the guest's memory is lost: its process is ended");
    await this.#process.end();
    return "ended";
  }
}

/**
 * Gives the connection up over which nothing comes, and awaits another. Asks nothing for which QEMU's main loop is needed
 * where that loop waits for a missing page.
 * @throws SojournError of a process that does not listen: worth another try.
 */
export async function listenAgain(
  instance: GuestInstance,
  address: string,
): Promise<RecoveryAnswer> {
  const status = await statusSoon(instance);
  if (!instance.isAlive()) return { state: "gone" };
  if (status === "completed") return { state: "whole" };
  const port = await portForRest(instance, address);
  return { state: "listening", address, port };
}

/**
 * Whether a process to which nothing more will come has all of its guest's memory. What has arrived is read before.
 * @throws SojournError of one that does not say: it is neither ended nor kept on a guess.
 */
export async function hasAllMemory(instance: GuestInstance, address: string): Promise<boolean> {
  const deadlineMs = monotonicMs() + endingMs;
  while (monotonicMs() < deadlineMs) {
    const status = await statusSoon(instance);
    if (!instance.isAlive() || status === "postcopy-paused") return false;
    if (status === "completed") return true;
    await delay(lookMs);
  }
  // Only one that waits for the rest takes it on a new port, and says so whatever its main loop waits for.
  await portForRest(instance, address);
  return false;
}

async function portForRest(instance: GuestInstance, address: string): Promise<number> {
  // Refused where it is given up already.
  await instance.pausePostCopy?.().catch(() => {});
  const listen = async () => await instance.listenForRecovery?.(address);
  const listening = await retry(listen, { pauseMs: lookMs, forMs: endingMs });
  if (listening !== undefined) return listening.port;
  throw new SojournError("SOJ_POST_COPY_UNAVAILABLE", `${instance.guest} came without post-copy`);
}

/** Of processes that have not answered yet: QEMU takes a few commands only that wait for its main loop. */
const asked = new WeakMap<GuestInstance, Promise<string | null>>();

/** Null when QEMU does not say. */
async function statusSoon(instance: GuestInstance): Promise<string | null> {
  const silent = delay(answerMs).then(() => null);
  const answer = asked.get(instance) ?? statusOf(instance).finally(() => asked.delete(instance));
  asked.set(instance, answer);
  return await Promise.race([answer, silent]);
}

async function statusOf(instance: GuestInstance): Promise<string | null> {
  try {
    return (await instance.migrationProgress()).status;
  } catch {
    return null;
  }
}
