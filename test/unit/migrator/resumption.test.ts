import fc from "fast-check";
import { expect, test } from "vitest";
import type { JournalStep } from "../../../src/migrator/journal-record.ts";
import { resumptionOf } from "../../../src/migrator/resumption.ts";
import { transition } from "../../../src/migrator/transition.ts";

const journalOf = (...steps: JournalStep[]) => ({
  has: (id: string, step: JournalStep) => id === "m1" && steps.includes(step),
});

/** What the executor does first after a restart. */
function firstSteps(...steps: JournalStep[]) {
  const { state, event } = resumptionOf(journalOf(...steps), "m1");
  const next = transition(state, event);
  return { state: next.state.name, effect: next.effects[0] };
}

test("before the promise it goes back to the source", () => {
  const back = { state: "rolling-back", effect: "undo-at-source" };
  expect(firstSteps("begin")).toEqual(back);
  expect(firstSteps("begin", "pausing")).toEqual(back);
});

test("after the promise the destination is asked", () => {
  expect(firstSteps("begin", "pausing", "promise")).toEqual({
    state: "settling",
    effect: "settle-with-destination",
  });
});

test("once the destination's word is recorded it only goes forward", () => {
  expect(firstSteps("begin", "pausing", "promise", "taken-over-by-destination")).toEqual({
    state: "verifying",
    effect: "verify-traffic",
  });
});

test("once the destination's abort is recorded it goes back without asking", () => {
  expect(firstSteps("begin", "pausing", "promise", "aborted-by-destination")).toEqual({
    state: "rolling-back",
    effect: "undo-at-source",
  });
});

test("a guest that went on at the source stays there, whatever could not be cleaned up", () => {
  expect(firstSteps("begin", "pausing", "promise", "undone")).toEqual({
    state: "rolling-back",
    effect: "undo-at-source",
  });
});

test("a journal with the promise never gives the guest back by itself", () => {
  const step = fc.constantFrom<JournalStep>(
    "begin",
    "pausing",
    "in-doubt",
    "taken-over-by-destination",
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      expect(firstSteps(...steps, "promise").state).not.toBe("rolling-back");
    }),
  );
});

test("another migration's promise does not count", () => {
  const { state } = resumptionOf(journalOf("promise"), "m2");
  expect(state.name).toBe("armed");
});

test("an operator's written decision comes before everything else", () => {
  const promised: JournalStep[] = ["begin", "pausing", "promise", "in-doubt"];
  expect(firstSteps(...promised, "resolved-source")).toEqual({
    state: "rolling-back",
    effect: "undo-at-source",
  });
  expect(firstSteps(...promised, "resolved-destination")).toEqual({
    state: "verifying",
    effect: "yield-to-destination",
  });
});

test("by post-copy a restart goes on with what was handed over: to its last page, and never back by itself", () => {
  const promised: JournalStep[] = ["begin", "pausing", "post-copy", "promise"];
  expect(firstSteps(...promised)).toEqual({
    state: "settling",
    effect: "settle-with-destination",
  });
  const followed = { state: "post-copy", effect: "await-post-copy" };
  expect(firstSteps(...promised, "taken-over-by-destination")).toEqual(followed);
  expect(firstSteps(...promised, "taken-over-by-destination", "in-doubt")).toEqual(followed);
});

test("a post-copy that was not promised goes back to the source", () => {
  expect(firstSteps("begin", "pausing", "post-copy")).toEqual({
    state: "rolling-back",
    effect: "undo-at-source",
  });
});
