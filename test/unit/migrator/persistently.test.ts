import { expect, test } from "vitest";
import { persistently } from "../../../src/migrator/persistently.ts";
import { replaceClock } from "../../../src/platform/clock.ts";
import { createLogger } from "../../../src/platform/log.ts";

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
