import { join } from "node:path";
import { createDaemonClient } from "../daemon/client.ts";
import { installationRoot } from "../lab/layout.ts";
import { preconditionError } from "../platform/errors.ts";
import type { Bed } from "./bed.ts";
import { MoveRunner, scriptDelayMs } from "./move-runner.ts";
import type { BenchPlan } from "./options.ts";
import type { Cell } from "./records.ts";

export interface HostBedOptions {
  guest: string;
  to: string;
  plan: BenchPlan;
  tunnel: string;
}

/**
 * A guest that is there, moved by the daemon of this host to another one and back.
 * @throws SojournError `SOJ_DAEMON_UNREACHABLE`, or `SOJ_BENCH_GUEST` when the guest does not run on this host.
 */
export async function openHostBed({ guest, to, plan, tunnel }: HostBedOptions): Promise<Bed> {
  const client = createDaemonClient();
  const [{ host: here }, summary] = [await client.health(), await client.showGuest(guest)];
  if (summary.host !== here || summary.state !== "running") {
    throw preconditionError("SOJ_BENCH_GUEST", `${guest} does not run on ${here}`, {
      hint: "run the benchmark on the guest's home while the guest is there",
    });
  }
  const cell: Cell = { memory_mib: summary.memory_mib, dirty_mbytes_per_second: null, tunnel };
  const moves = new MoveRunner({
    commandLine: [join(installationRoot, "bin", "sojourn")],
    guest,
    hosts: [here, to],
    probeNode: null,
    tunnel,
    scriptDelayMs: scriptDelayMs(cell.memory_mib, plan.scriptBandwidthMbps),
    locate: async () => (await client.showGuest(guest)).host,
  });
  return {
    cell,
    runnerOf: async () => moves,
    restore: (signal) => moves.moveTo(here, signal),
    [Symbol.asyncDispose]: () => moves[Symbol.asyncDispose](),
  };
}
