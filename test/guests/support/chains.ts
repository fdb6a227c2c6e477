import { expect } from "vitest";
import type { MigrateOutcome, TestLab } from "../../support/lab.ts";

/** How many tunnels each host has. */
export async function tunnelsByHost(
  lab: TestLab,
  hosts: readonly string[],
): Promise<Record<string, number>> {
  const counts = hosts.map(async (host) => {
    const links = await lab.run(host, ["ip", "-o", "link"]);
    return [host, links.match(/^\d+: sjt/gm)?.length ?? 0] as const;
  });
  return Object.fromEntries(await Promise.all(counts));
}

export function expectCompleted({ exitCode, report, error }: MigrateOutcome): void {
  expect({ exitCode, outcome: report?.outcome, error }).toEqual({
    exitCode: 0,
    outcome: "completed",
    error: null,
  });
}
