import type { CheckedBenchmark } from "./schemas.ts";

/**
 * What `sojourn` is called with for a benchmark.
 * @param folder where its results go.
 */
export function argumentsOf(checked: CheckedBenchmark, folder: string): string[] {
  const { guest, to, strategies, runs, load, tunnel } = checked;
  return [
    ...["bench", "--guest", guest, "--to", to, "--strategies", strategies.join(",")],
    ...["--runs", `${runs}`, "--load", load.join(","), "--tunnel", tunnel],
    ...["--out", folder, "--json"],
  ];
}
