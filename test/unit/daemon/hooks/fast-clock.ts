import { replaceClock } from "../../../../src/platform/clock.ts";

/** Makes time jump from timer to timer as soon as nothing else is to be done, until it is disposed of. */
export function startFastClock(): Disposable & { nowMs(): number } {
  const timers = new Map<object, { work: () => void; dueMs: number }>();
  let nowMs = 1_700_000_000_000;
  let isStopped = false;
  const step = () => {
    if (isStopped) return;
    const [next] = [...timers].toSorted(([, left], [, right]) => left.dueMs - right.dueMs);
    if (next !== undefined) {
      timers.delete(next[0]);
      nowMs = Math.max(nowMs, next[1].dueMs);
      next[1].work();
    }
    setImmediate(step);
  };
  setImmediate(step);
  const replaced = replaceClock({
    monotonicMs: () => nowMs,
    wallClockMs: () => nowMs,
    startTimer: (work, delayMs) => {
      const timer = { cancel: () => void timers.delete(timer) };
      timers.set(timer, { work, dueMs: nowMs + delayMs });
      return timer;
    },
  });
  return {
    nowMs: () => nowMs,
    [Symbol.dispose]: () => {
      isStopped = true;
      replaced[Symbol.dispose]();
    },
  };
}

/** Makes the wall clock, and nothing else, run ahead until it is disposed of. */
export function startClockAhead(aheadMs: number): Disposable {
  return replaceClock({
    monotonicMs: () => performance.now(),
    wallClockMs: () => Date.now() + aheadMs,
    startTimer: (work, delayMs) => {
      const timer = setTimeout(work, delayMs);
      return { cancel: () => clearTimeout(timer) };
    },
  });
}
