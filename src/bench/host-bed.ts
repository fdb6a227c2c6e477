import { join } from "node:path";
import { createClient } from "../client/index.ts";
import { type BenchmarkServices, benchmarkVariable } from "../daemon/benchmarks/schemas.ts";
import { hostConfigPath } from "../lab/host-files.ts";
import { installationRoot } from "../lab/layout.ts";
import { preconditionError } from "../platform/errors.ts";
import type { Bed } from "./bed.ts";
import { blackoutLimits } from "./blackout-limits.ts";
import { MoveRunner, scriptDelayMs } from "./move-runner.ts";
import type { BenchPlan } from "./options.ts";
import type { Cell, CellGuest } from "./records.ts";

export interface HostBedOptions {
  guest: string;
  to: string;
  plan: BenchPlan;
}

/**
 * A guest that is there, moved by the daemon of this host to another one and back.
 * @throws SojournError `SOJ_DAEMON_UNREACHABLE`, `SOJ_BENCH_GUEST` when the guest does not run on this host,
 *   `SOJ_BENCHMARK_RUNNING` while a benchmark of the daemon's has it.
 */
export async function openHostBed({ guest, to, plan }: HostBedOptions): Promise<Bed> {
  const client = createClient();
  const [{ host: here }, summary] = [await client.health(), await client.showGuest(guest)];
  if (summary.host !== here || summary.state !== "running") {
    throw preconditionError("SOJ_BENCH_GUEST", `${guest} does not run on ${here}`, {
      hint: "run the benchmark on the guest's home while the guest is there",
    });
  }
  await refuseSecond(client, guest);
  const own: CellGuest = { memory_mib: summary.memory_mib, dirty_mbytes_per_second: null };
  const limitOf = await blackoutLimits(hostConfigPath);
  const moves = (cell: Cell) =>
    new MoveRunner({
      commandLine: [join(installationRoot, "bin", "sojourn")],
      guest,
      hosts: [here, to],
      probeNode: null,
      ...{ cell, limitOf, timeoutS: plan.timeoutS },
      scriptDelayMs: scriptDelayMs(own.memory_mib, plan.scriptBandwidthMbps),
      locate: async () => (await client.showGuest(guest)).host,
    });
  return {
    guest: own,
    runnerOf: async (_strategy, cell) => moves(cell),
    newlyCorruptPages: async () => null,
    restore: (signal) => moves({ ...own, tunnel: "auto" }).moveTo(here, signal),
    async [Symbol.asyncDispose]() {},
  };
}

/** One that the daemon itself has begun knows its own number. */
async function refuseSecond(client: BenchmarkServices, guest: string): Promise<void> {
  const own = process.env[benchmarkVariable];
  const other = (await client.listBenchmarks()).find(
    (one) => one.ended_ms === null && one.guest === guest && one.id !== own,
  );
  if (other === undefined) return;
  throw preconditionError("SOJ_BENCHMARK_RUNNING", `benchmark ${other.id} has ${guest}`, {
    retryable: true,
    hint: "wait for its end, or cancel it",
  });
}
