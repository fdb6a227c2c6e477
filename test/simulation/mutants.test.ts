import { expect, test } from "vitest";
import { type MutantName, mutants, splitBrain } from "./mutants.ts";
import { findMutant } from "./run-schedules.ts";
import type { Mutation } from "./world/mutation.ts";

const atMost = 12_000;

test.concurrent.each(Object.keys(mutants) as MutantName[])(
  "the mistake %s is found",
  async (name) => {
    const report = await findMutant(name, atMost);
    const { leadsTo = splitBrain }: Mutation = mutants[name];
    const found = report.failures.at(-1);
    console.log(`${name}: ${found?.violations[0]} (schedule ${report.schedules})`);
    expect(found?.violations).toContainEqual(expect.stringMatching(leadsTo));
  },
);
