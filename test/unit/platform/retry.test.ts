import { expect, test } from "vitest";
import { monotonicMs, replaceClock } from "../../../src/platform/clock.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { persistently, retry } from "../../../src/platform/retry.ts";

const logger = createLogger("silent");

/** Time passes only while somebody waits. */
function hastyClock() {
  let nowMs = 0;
  return replaceClock({
    monotonicMs: () => nowMs,
    wallClockMs: () => nowMs,
    startTimer: (work, delayMs) => {
      nowMs += delayMs;
      queueMicrotask(work);
      return { cancel: () => {} };
    },
  });
}

/** Fails until it is called for the `tries`th time; notes when it was called. */
function failingWork(tries: number) {
  const calledMs: number[] = [];
  const work = async () => {
    calledMs.push(monotonicMs());
    if (calledMs.length < tries) throw new Error(`failure ${calledMs.length}`);
    return "done";
  };
  return { calledMs, work };
}

test("each pause is twice the one before, up to the longest", async () => {
  using _clock = hastyClock();
  const { calledMs, work } = failingWork(6);
  expect(await retry(work, { pauseMs: 100, longestPauseMs: 500 })).toBe("done");
  expect(calledMs).toEqual([0, 100, 300, 700, 1_200, 1_700]);
});

test("without a longest pause all are the same, and each failure but the last is told", async () => {
  using _clock = hastyClock();
  const { calledMs, work } = failingWork(10);
  const told: string[] = [];
  const onFailure = (error: unknown) => told.push((error as Error).message);
  await expect(retry(work, { pauseMs: 100, forMs: 300, onFailure })).rejects.toThrow("failure 4");
  expect(calledMs).toEqual([0, 100, 200, 300]);
  expect(told).toEqual(["failure 1", "failure 2", "failure 3"]);
});

test("a final failure is thrown at once", async () => {
  const { work } = failingWork(10);
  const isFinal = (error: unknown) => (error as Error).message === "failure 2";
  await expect(retry(work, { pauseMs: 0, isFinal })).rejects.toThrow("failure 2");
});

test("the signal ends the waiting, and what succeeds after it counts no more", async () => {
  const { work } = failingWork(10);
  const stop = new AbortController();
  const onFailure = () => stop.abort(new Error("enough"));
  const { signal } = stop;
  await expect(retry(work, { pauseMs: 60_000, onFailure, signal })).rejects.toThrow("enough");
  await expect(retry(async () => {}, { pauseMs: 0, signal })).rejects.toThrow("enough");
});

test("what fails is tried again until it works", async () => {
  using _clock = hastyClock();
  let tries = 0;
  const done = await persistently("work", logger, async () => {
    tries += 1;
    if (tries < 4) throw new Error("not yet");
  });
  expect([done, tries]).toEqual([true, 4]);
});

test("after its time it is left alone, and that is said", async () => {
  using _clock = hastyClock();
  let tries = 0;
  const work = async () => {
    tries += 1;
    throw new Error("never");
  };
  expect(await persistently("work", logger, work, 2_000)).toBe(false);
  expect(tries).toBe(5);
});
