import { expect, test } from "vitest";
import type { Schedule } from "./schedule.ts";
import { simulate } from "./simulate.ts";
import { undisturbed } from "./undisturbed.ts";

/** The frozen deadline of the simulated hosts, and what libvirt needs to take a stream back. */
const longestStandMs = 2_000 + 100;

test("a guest whose stream is cut when it is stopped, whoever stops it and whenever, stands for no longer than the frozen deadline", async () => {
  const stood: number[] = [];
  for (let seed = 1; seed <= 150; seed += 1) {
    const from: Schedule["hosts"] = seed % 2 === 0 ? ["host-a"] : ["host-b"];
    const when = { instant: "stopped", delayMs: 0 } as const;
    const cut = { kind: "cut" as const, links: ["data" as const], from, forMs: 25_000, when };
    const result = await simulate({ ...undisturbed, seed, seals: true, faults: [cut] });
    expect(result.violations, `seed ${seed}`).toEqual([]);
    expect(result.longestStandMs, `seed ${seed}`).toBeLessThan(longestStandMs);
    stood.push(result.longestStandMs);
  }
  // Many of them by the deadline alone, others because nothing of the switchover had begun.
  expect(stood.filter((ms) => ms > 1_900).length).toBeGreaterThan(20);
  expect(stood.filter((ms) => ms < 500).length).toBeGreaterThan(2);
});
