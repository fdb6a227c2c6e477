import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Lifelines } from "../../../src/daemon/lifelines.ts";
import { preconditionError } from "../../../src/platform/errors.ts";
import { createLogger } from "../../../src/platform/log.ts";

let cancelled: string[];
let lifelines: Lifelines;

beforeEach(() => {
  vi.useFakeTimers();
  cancelled = [];
  const cancel = async (id: string) => {
    cancelled.push(id);
    throw preconditionError("SOJ_TOO_LATE", "too late");
  };
  lifelines = new Lifelines(cancel, createLogger("silent"));
});
afterEach(() => {
  lifelines[Symbol.dispose]();
  vi.useRealTimers();
});

test("a migration whose caller never comes to follow it is cancelled; one that is followed is not", () => {
  lifelines.expectFollower("m1");
  lifelines.expectFollower("m2");
  lifelines.followed("m2");
  vi.advanceTimersByTime(60_000);
  expect(cancelled).toEqual(["m1"]);
});

test("while somebody else follows it, one who leaves cancels nothing; nor does anybody once it is over", async () => {
  lifelines.followed("m1");
  lifelines.followed("m1");
  lifelines.left("m1", false);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(cancelled).toEqual([]);
  lifelines.left("m1", false);
  expect(cancelled).toEqual(["m1"]);
  lifelines.followed("m2");
  lifelines.left("m2", true);
  expect(cancelled).toEqual(["m1"]);
});

test("a lost follower cancels at once, and a cancellation that is too late is no failure", async () => {
  lifelines.followed("m1");
  lifelines.left("m1", false);
  await vi.advanceTimersByTimeAsync(1);
  expect(cancelled).toEqual(["m1"]);
});

test("nothing is cancelled after the end of the daemon", () => {
  lifelines.expectFollower("m1");
  lifelines[Symbol.dispose]();
  vi.advanceTimersByTime(60_000);
  expect(cancelled).toEqual([]);
});
