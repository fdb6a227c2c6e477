/** Milliseconds on CLOCK_MONOTONIC; comparable between processes of one machine, never between machines. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** Where the wall clock stands when the process's own clock is 0. */
let wallClockOriginMs = performance.timeOrigin;

/**
 * Milliseconds since 1970 with microsecond fraction; informative only, never for deadlines. Follows a clock that is
 * set while the process runs (to half a millisecond), so that it stays comparable with QEMU's event stamps.
 */
export function wallClockMs(): number {
  const now = performance.now();
  const wall = wallClockOriginMs + now;
  const wholeMs = Date.now();
  if (wall > wholeMs - 1 && wall < wholeMs + 2) return wall;
  wallClockOriginMs = wholeMs + 0.5 - now;
  return wholeMs + 0.5;
}

/** Resolves after `delayMs`, or rejects with the signal's reason. */
export function delay(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
