import type { Clock, Timer } from "../../../src/platform/clock.ts";
import { type DaemonProcess, runningProcess } from "./daemon-process.ts";
import { EventQueue } from "./event-queue.ts";

/** The wall clock when a simulation begins. */
const epochMs = Date.UTC(2030, 0, 1);

/**
 * Steps that are queued together: between two of them Node settles all promises that can be settled, and a turn of the
 * event loop for each would cost more than the step.
 */
const stepsAtOnce = 64;

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
  run(untilMs: number): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    let isOver = false;
    const step = () => {
      if (isOver) return;
      try {
        const isQuiet = this.#step(untilMs);
        if (isQuiet === null) return;
        resolve(isQuiet);
      } catch (error) {
        reject(error);
      }
      isOver = true;
    };
    const steps = () => {
      if (isOver) return;
      for (let count = 0; count < stepsAtOnce; count += 1) setImmediate(step);
      setImmediate(steps);
    };
    steps();
    return promise;
  }

  /** One event. True when there is none any more, false when the next is later than `untilMs`. */
  #step(untilMs: number): boolean | null {
    const event = this.#queue.pop();
    if (event === null) return true;
    if (event.atMs > untilMs) {
      this.#queue.putBack(event);
      this.nowMs = untilMs;
      return false;
    }
    this.nowMs = Math.max(this.nowMs, event.atMs);
    this.events += 1;
    event.work?.();
    return null;
  }
}
