import type { EventHub } from "../../event-hub.ts";
import { domainResume, domainSuspend } from "../rpc/procedures/domains.ts";
import type { DomainHandle } from "./domain-handle.ts";
import { isInvalidNow } from "./errors.ts";
import { type DomainStateReply, isRunning } from "./run-state.ts";

/** QEMU's own word of a stop comes within milliseconds of libvirt's answer. */
const stopNoticeMs = 300;

/** The guest's processors: whether they go, as far as was told, and how they are stopped and let go. */
export class Processors {
  readonly #handle: DomainHandle;
  readonly #events: EventHub;
  #isRunning: boolean | null = null;

  /** @param events QEMU's own. */
  constructor(handle: DomainHandle, events: EventHub) {
    this.#handle = handle;
    this.#events = events;
  }

  /** Nothing was told or asked yet. */
  get isUnknown(): boolean {
    return this.#isRunning === null;
  }

  /** Takes an event of QEMU's. */
  note(name: string): void {
    if (name === "STOP") this.#isRunning = false;
    if (name === "RESUME") this.#isRunning = true;
  }

  /** Takes libvirt's word; the event that was missed, if one was. */
  learn(reply: DomainStateReply): "STOP" | "RESUME" | null {
    const [was, now] = [this.#isRunning, isRunning(reply)];
    this.#isRunning = now;
    if (was === null || was === now) return null;
    return now ? "RESUME" : "STOP";
  }

  /** QEMU's own event has come by then, if it stopped a guest that ran. */
  async stop(): Promise<void> {
    const stopped = this.#isRunning === false ? null : this.#untilStopped();
    stopped?.catch(() => {});
    await this.#handle.call(domainSuspend, {});
    await stopped?.catch(() => {});
  }

  /** Nothing for those that go already, as after a stream that libvirt took back. */
  async resume(): Promise<void> {
    try {
      await this.#handle.call(domainResume, {});
    } catch (error) {
      if (!isInvalidNow(error) || !isRunning(await this.#handle.state())) throw error;
    }
  }

  #untilStopped(): Promise<unknown> {
    return this.#events.wait("STOP", ({ name }) => name === "STOP", { timeoutMs: stopNoticeMs });
  }
}
