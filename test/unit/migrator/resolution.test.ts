import { expect, test } from "vitest";
import type { JournalStep } from "../../../src/migrator/journal-record.ts";
import type { HostMigrationFacts } from "../../../src/migrator/procedures.ts";
import { plannedSteps } from "../../../src/migrator/resolution-steps.ts";
import { refusalOf } from "../../../src/migrator/resolution-verdict.ts";

type Role = "source" | "destination";

function factsOf(role: Role, ...steps: JournalStep[]): HostMigrationFacts {
  const journal = steps.map((step) => ({ at: "", role, step, epoch: 1 }));
  const isRunning = role === "destination" && steps.includes("takeover");
  return { run_state: isRunning ? "running" : "paused", held: false, journal };
}

const doubt: JournalStep[] = ["begin", "pausing", "promise", "in-doubt"];
const atSource = {
  role: "source",
  isOpen: true,
  here: factsOf("source", ...doubt),
  there: null,
} as const;
const atDestination = {
  role: "destination",
  isOpen: true,
  here: factsOf("destination", "prepared", "takeover"),
  there: null,
} as const;

test("in doubt, with nobody to ask, the operator decides either way", () => {
  expect(refusalOf({ ...atSource, keep: "source" })).toBeNull();
  expect(refusalOf({ ...atSource, keep: "destination" })).toBeNull();
});

test("a destination that waits for a silent source to hand over by post-copy may give up", () => {
  const here = factsOf("destination", "prepared", "post-copy");
  expect(refusalOf({ ...atDestination, here, keep: "source" })).toBeNull();
  expect(refusalOf({ ...atDestination, here, keep: "destination" })).toMatch(/decides by itself/);
  const there = factsOf("source", ...doubt);
  expect(refusalOf({ ...atDestination, here, there, keep: "source" })).toMatch(/decides by itself/);
  const plain = factsOf("destination", "prepared");
  expect(refusalOf({ ...atDestination, here: plain, keep: "source" })).toMatch(/within its lease/);
});

test.each<[string, JournalStep[], RegExp | null, RegExp | null]>([
  ["has taken over", ["prepared", "takeover"], /taken the guest over/, null],
  ["has aborted", ["prepared", "abort"], null, /given the guest up/],
  ["has decided nothing", ["prepared"], null, null],
  ["was told", ["prepared", "takeover", "superseded"], null, /decided for the source/],
])("a destination that answers and %s is not contradicted", (_what, steps, source, destination) => {
  const there = factsOf("destination", ...steps);
  const refusals = [source, destination].map((expected) => expected ?? null);
  const given = (["source", "destination"] as const).map((keep) =>
    refusalOf({ ...atSource, there, keep }),
  );
  for (const [index, expected] of refusals.entries()) {
    if (expected === null) expect(given[index]).toBeNull();
    else expect(given[index]).toMatch(expected);
  }
});

test.each<[string, JournalStep[], RegExp | null, RegExp | null]>([
  [
    "the destination's word",
    [...doubt, "taken-over-by-destination"],
    /has the destination's word/,
    null,
  ],
  ["its word of an abort", [...doubt, "aborted-by-destination"], null, /given the guest up/],
  ["no promise", ["begin"], null, /never promised/],
  ["a decision for the source", [...doubt, "resolved-source"], null, /decided for the source/],
  [
    "a decision for the destination",
    [...doubt, "resolved-destination"],
    /decided for the dest/,
    null,
  ],
])("the source's own journal is not contradicted: %s", (_what, steps, source, destination) => {
  const here = factsOf("source", ...steps);
  const keepSource = refusalOf({ ...atSource, here, keep: "source" });
  const keepDestination = refusalOf({ ...atSource, here, keep: "destination" });
  for (const [given, expected] of [
    [keepSource, source],
    [keepDestination, destination],
  ] as const) {
    if (expected === null) expect(given).toBeNull();
    else expect(given).toMatch(expected);
  }
});

test("a destination that took over keeps the guest when its source is gone, and never gives it up", () => {
  expect(refusalOf({ ...atDestination, keep: "destination" })).toBeNull();
  expect(refusalOf({ ...atDestination, keep: "source" })).toMatch(/taken the guest over/);
  const there = factsOf("source", ...doubt);
  expect(refusalOf({ ...atDestination, there, keep: "destination" })).toMatch(/source answers/);
  const here = { ...factsOf("destination", "prepared"), run_state: "inmigrate" };
  expect(refusalOf({ ...atDestination, here, keep: "destination" })).toMatch(/by itself/);
});

test("what has ended is not for deciding, except where a damaged journal holds the guest", () => {
  const over = { ...atSource, isOpen: false };
  expect(refusalOf({ ...over, keep: "source" })).toMatch(/nothing of it is left/);
  expect(refusalOf({ ...over, here: { ...over.here, held: true }, keep: "source" })).toBeNull();
  const lost = { ...factsOf("source", "begin"), held: true };
  expect(refusalOf({ ...atSource, here: lost, keep: "destination" })).toBeNull();
});

test("a guest that is seen running is not let run, or ended, for the other side", () => {
  const lost = { held: true, journal: [] };
  const there = { ...lost, run_state: "running" };
  expect(refusalOf({ ...atSource, there, keep: "source" })).toMatch(/runs at the destination/);
  const silent = { ...lost, run_state: "unknown" };
  expect(refusalOf({ ...atSource, there: silent, keep: "source" })).toMatch(
    /nobody knows .* at the destination/,
  );
  const paused = { ...lost, run_state: "paused" };
  expect(refusalOf({ ...atSource, there: paused, keep: "source" })).toBeNull();
  const here = { ...lost, run_state: "running" };
  expect(refusalOf({ ...atSource, here, keep: "destination" })).toMatch(/runs at the source/);
  expect(refusalOf({ ...atSource, here, keep: "source" })).toBeNull();
});

test("who keeps a guest at a source that has lost it is told that it is lost", () => {
  const names = { guest: "web1", host: "host-a", other: "host-b" };
  const decision = { keep: "source", role: "source", isOpen: true, isReachable: false } as const;
  const steps = plannedSteps({ ...decision, isGone: true, isPostCopy: false, ...names }).join();
  expect(steps).toContain("it is lost");
  expect(steps).not.toContain("goes on");
});

test("every decision is explained", () => {
  for (const keep of ["source", "destination"] as const) {
    for (const role of ["source", "destination"] as const) {
      for (const isOpen of [true, false]) {
        const names = { guest: "web1", host: "host-a", other: "host-b" };
        const steps = plannedSteps({
          keep,
          role,
          isOpen,
          isReachable: false,
          isGone: false,
          isPostCopy: false,
          ...names,
        });
        expect(steps.join()).toContain("writes the decision into its journal");
      }
    }
  }
});

test("a copy that was handed over by post-copy is not kept at the source: it could not run", () => {
  const here = { ...factsOf("source", ...doubt, "post-copy"), handed_over: true };
  expect(refusalOf({ ...atSource, here, keep: "source" })).toMatch(/handed the guest over/);
  expect(refusalOf({ ...atSource, here, keep: "destination" })).toBeNull();
  const there = { ...here, run_state: "finish-migrate" };
  expect(refusalOf({ ...atDestination, there, keep: "source" })).not.toBeNull();
});
