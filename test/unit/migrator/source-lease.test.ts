import { expect, test } from "vitest";
import type { SourceContext } from "../../../src/migrator/source-context.ts";
import { type LeasePhase, SourceLease } from "../../../src/migrator/source-lease.ts";
import { FakeClock, pass } from "../platform/fake-clock.ts";
import { task } from "./example-task.ts";

/** What is asked in a phase of a destination that answers as told, and why the migration is given up. */
function leaseIn(phase: LeasePhase, answer: () => unknown) {
  const asked: string[] = [];
  const givenUp: unknown[] = [];
  const peer = () => ({
    peer: "host-b",
    call: async (name: string) => {
      asked.push(name);
      return answer();
    },
  });
  const context = { peer: peer as unknown as SourceContext["peer"] };
  const lease = new SourceLease(context, task, {
    phase: () => phase,
    giveUp: (error) => givenUp.push(error),
  });
  return { lease, asked, givenUp };
}

test("while it prepares, a destination is asked for life only: a question about the migration would abort it", async () => {
  using clock = new FakeClock();
  const { lease, asked, givenUp } = leaseIn("preparing", () => ({ wall_clock_ms: 0 }));
  using _lease = lease;
  await pass(clock, 20_000, 1_000);
  expect(new Set(asked)).toEqual(new Set(["clock"]));
  expect(givenUp).toEqual([]);
});

test.each(["preparing", "prepared"] as const)(
  "%s: two silences in a row end the migration, one does not",
  async (phase) => {
    using clock = new FakeClock();
    let silent = false;
    const { lease, givenUp } = leaseIn(phase, () => {
      if (silent) throw new Error("no answer");
      return { state: "incoming" };
    });
    using _lease = lease;
    await pass(clock, 6_000, 1_000);
    silent = true;
    await pass(clock, 5_000, 1_000);
    silent = false;
    await pass(clock, 5_000, 1_000);
    silent = true;
    await pass(clock, 5_000, 1_000);
    expect(givenUp).toEqual([]);
    await pass(clock, 5_000, 1_000);
    expect(givenUp).toHaveLength(1);
  },
);

test("a destination that has given up ends the migration at once; after the promise nobody asks", async () => {
  using clock = new FakeClock();
  const aborted = leaseIn("prepared", () => ({ state: "aborted" }));
  using _aborted = aborted.lease;
  const promised = leaseIn("not-needed", () => ({ state: "aborted" }));
  using _promised = promised.lease;
  await pass(clock, 6_000, 1_000);
  expect(aborted.givenUp).toMatchObject([{ code: "SOJ_DESTINATION_ABORTED" }]);
  expect(promised.asked).toEqual([]);
});
