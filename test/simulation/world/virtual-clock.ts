import type { Clock, Timer } from "../../../src/platform/clock.ts";
import { type DaemonProcess, runningProcess } from "./daemon-process.ts";
import { EventQueue } from "./event-queue.ts";

/** The wall clock when a simulation begins. */
const epochMs = Date.UTC(2030, 0, 1);

/** Time that passes only from event to event. */
export class VirtualClock implements Clock {
  readonly #queue = new EventQueue();
  nowMs = 0;
  events = 0;
  /** Timers of this length never fire: what a mutant leaves out. */
  lostTimerMs: number | null = null;

  monotonicMs(): number {
    return this.nowMs;
  }

  wallClockMs(): number {
    return epochMs + this.nowMs;
  }

  /** A timer of the process that starts it: it ends with the process and waits while that stalls. */
  startTimer(work: () => void, delayMs: number): Timer {
    if (delayMs === this.lostTimerMs) return { cancel: () => {} };
    const process = runningProcess.getStore();
    return process === undefined ? this.after(delayMs, work) : this.deliver(process, delayMs, work);
  }

  /** Something of the world's, which no daemon's end stops. */
  after(delayMs: number, work: () => void): Timer {
    const event = this.#queue.push(this.nowMs + Math.max(0, delayMs), work);
    return {
      cancel: () => {
        event.work = null;
      },
    };
  }

  /** Something that a daemon's event loop is to do. */
  deliver(process: DaemonProcess, delayMs: number, work: () => void): Timer {
    let timer: Timer;
    const arrive = () => {
      if (!process.alive) return;
      const waitMs = process.stalledUntilMs - this.nowMs;
      if (waitMs > 0) timer = this.after(waitMs, arrive);
      else runningProcess.run(process, work);
    };
    timer = this.after(delayMs, arrive);
    return { cancel: () => timer.cancel() };
  }

  /** Runs until nothing is left to happen, or until `untilMs`; false when something is left. */
  async run(untilMs: number): Promise<boolean> {
    for (;;) {
      await settled();
      const event = this.#queue.pop();
      if (event === null) return true;
      if (event.atMs > untilMs) {
        if (event.work !== null) this.#queue.push(event.atMs, event.work);
        this.nowMs = untilMs;
        return false;
      }
      this.nowMs = Math.max(this.nowMs, event.atMs);
      this.events += 1;
      event.work?.();
    }
  }
}

/** All promises that could be settled are. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
