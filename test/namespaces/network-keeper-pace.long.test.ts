import { expect, test } from "vitest";
import { KeptBed, repaired } from "./keeper-bed.ts";

test("somebody who never stops leads to few repairs, and to no alarm twice", async () => {
  await using bed = await KeptBed.up();
  await bed.rest();
  const flushFor = async (durationMs: number) => {
    const startedMs = performance.now();
    while (performance.now() - startedMs < durationMs) await bed.run("ip route flush table 18310");
  };
  const first = bed.kept.log.length;
  await flushFor(2_500);
  const contestedFrom = bed.kept.log.length;
  await flushFor(3_000);
  const alarms = bed.said(first).filter((message) => message.startsWith("alarm"));
  // That they keep changing it, that it cannot be repaired, or both: each once.
  expect(alarms.length).toBeGreaterThan(0);
  expect(new Set(alarms).size).toBe(alarms.length);
  // By then after 1 s, 2 s and more each; without a pace after every debounce and repair.
  expect(bed.said(contestedFrom).filter((message) => message === repaired).length).toBeLessThan(5);
  await bed.expectAsWanted();
});
