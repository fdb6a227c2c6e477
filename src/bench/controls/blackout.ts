import type { GuestEvent } from "../../hypervisor/hypervisor.ts";

/** The events between which the guest did not run, and the hosts that tell them. */
export interface Blackout {
  stop: GuestEvent;
  resume: GuestEvent;
  stopHost: string;
  resumeHost: string;
}

/**
 * Puts the stamps of events, which are of the machine's wall clock, onto the monotonic clock. The event that was
 * under way for the shortest time tells the offset, so the error is that one's delay.
 */
export class EventTimes {
  #offsetMs = Number.POSITIVE_INFINITY;

  see({ timestampMs, receivedMs }: GuestEvent): void {
    const offsetMs = receivedMs - timestampMs;
    // QEMU stamps nothing when its clock fails.
    if (offsetMs < this.#offsetMs) this.#offsetMs = offsetMs;
  }

  /** When an event happened, on the monotonic clock; for one without a stamp, when it was received. */
  monotonicMsOf({ timestampMs, receivedMs }: GuestEvent): number {
    const atMs = timestampMs + this.#offsetMs;
    return Number.isFinite(atMs) ? atMs : receivedMs;
  }
}
