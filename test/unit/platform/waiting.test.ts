import { expect, test, vi } from "vitest";
import { waitAtMost, within } from "../../../src/platform/waiting.ts";

const never = new Promise<never>(() => {});

test("waits until the work is done, and no longer than it may", async () => {
  let done = false;
  const work = Promise.resolve().then(() => {
    done = true;
  });
  await waitAtMost(60_000, work);
  expect(done).toBe(true);
  await waitAtMost(1, never);
});

test("what the work throws is thrown while it is waited for", async () => {
  await expect(waitAtMost(60_000, Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  const broken = () => Promise.reject(new Error("broken"));
  await expect(within(60_000, broken, () => new Error("late"))).rejects.toThrow("broken");
});

test("work that takes too long is left to itself, whatever becomes of it", async () => {
  const work = Promise.withResolvers<number>();
  const waiting = within(
    1,
    () => work.promise,
    () => new Error("late"),
  );
  await expect(waiting).rejects.toThrow("late");
  work.reject(new Error("nobody hears of it"));
});

test("no timer is left when the work is done", async () => {
  vi.useFakeTimers();
  try {
    await waitAtMost(60_000, Promise.resolve());
    expect(
      await within(
        60_000,
        async () => 7,
        () => new Error("late"),
      ),
    ).toBe(7);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
