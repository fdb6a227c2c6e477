import { uptime } from "node:os";

/** Something that happens later, or again and again. */
export interface Timer {
  /** It does not happen any more; safe to call twice, and afterwards. */
  cancel(): void;
}

/** Where all time comes from. */
export interface Clock {
  /** Milliseconds on CLOCK_MONOTONIC. */
  monotonicMs(): number;
  /** Milliseconds since 1970. */
  wallClockMs(): number;
  /** Milliseconds that the machine has slept, up to a constant. */
  sleptMs?(): number;
  /** @param keepsProcess false for a timer that is no reason for the process to go on. */
  startTimer(work: () => void, delayMs: number, keepsProcess: boolean): Timer;
}

let clock: Clock = {
  monotonicMs: hostMonotonicMs,
  wallClockMs: hostWallClockMs,
  sleptMs: hostSleptMs,
  startTimer: start,
};

/** Makes another clock the one that everybody in this process goes by, until it is disposed of. */
export function replaceClock(other: Clock): Disposable {
  const before = clock;
  clock = other;
  return {
    [Symbol.dispose]: () => {
      clock = before;
    },
  };
}

/** Milliseconds on CLOCK_MONOTONIC; comparable between processes of one machine, never between machines. */
export function monotonicMs(): number {
  return clock.monotonicMs();
}

/**
 * Milliseconds since 1970 with microsecond fraction; informative only, never for deadlines. Follows a clock that is
 * set while the process runs (to half a millisecond), so that it stays comparable with QEMU's event stamps.
 */
export function wallClockMs(): number {
  return clock.wallClockMs();
}

/** How long the machine has slept, up to a constant: CLOCK_MONOTONIC does not count it. */
export function sleptMs(): number {
  return clock.sleptMs?.() ?? 0;
}

/** Calls `work` once, after `delayMs`. */
export function startTimer(work: () => void, delayMs: number, keepsProcess = true): Timer {
  return clock.startTimer(work, delayMs, keepsProcess);
}

/** Calls `work` every `intervalMs`, the first time after one interval. */
export function startInterval(work: () => void, intervalMs: number): Timer {
  let timer: Timer;
  const again = () => {
    timer = startTimer(() => {
      again();
      work();
    }, intervalMs);
  };
  again();
  return { cancel: () => timer.cancel() };
}

/** Resolves after `delayMs`, or rejects with the signal's reason. */
export function delay(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = startTimer(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

function hostMonotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** CLOCK_BOOTTIME, which os.uptime reads, less CLOCK_MONOTONIC. */
function hostSleptMs(): number {
  return uptime() * 1000 - Number(process.hrtime.bigint() / 1_000_000n);
}

/** Where the wall clock stands when the process's own clock is 0. */
let wallClockOriginMs = performance.timeOrigin;

function hostWallClockMs(): number {
  const now = performance.now();
  const wall = wallClockOriginMs + now;
  const wholeMs = Date.now();
  if (wall > wholeMs - 1 && wall < wholeMs + 2) return wall;
  wallClockOriginMs = wholeMs + 0.5 - now;
  return wholeMs + 0.5;
}

function start(work: () => void, delayMs: number, keepsProcess: boolean): Timer {
  const timer = setTimeout(work, delayMs);
  if (!keepsProcess) timer.unref();
  return { cancel: () => clearTimeout(timer) };
}
