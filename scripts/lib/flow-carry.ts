/**
 * Moves of one guest, there and back, with different numbers of flows in home's connection tracking in turn.
 * usage: flow-carry.ts [--flows LIST] [--runs N] [--json] [--lab NAME]; see scripts/flow-carry.
 */
import { parseArgs } from "node:util";
import { firstHost, guestAddress } from "../../src/lab/guests.ts";
import { ExitCode } from "../../src/platform/errors.ts";
import { replayFlows } from "./flow-carry/bed.ts";
import { type Move, moveOf, summaryOf } from "./flow-carry/records.ts";
import { printMove, printSummary } from "./flow-carry/tables.ts";
import { inLab, type MovingLab, migrate, print } from "./lab-moves.ts";
import { numberOf } from "./number-option.ts";

/** Beside the guest's own sessions there must be room for them in the kernel's table (nf_conntrack_max). */
const mostFlows = 200_000;
const away = "host-b";

const { values: options } = parseArgs({
  options: {
    flows: { type: "string", default: "10,1000,50000" },
    runs: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
    lab: { type: "string", default: "flow-carry" },
  },
});
const runs = numberOf("flow-carry", "runs", options.runs, 1000);
const counts = countsOf(options.flows);

await inLab("flow-carry", options.lab, measure);

async function measure(lab: MovingLab): Promise<void> {
  const moves: Move[] = [];
  for (let round = 1; round <= runs; round += 1) {
    for (const flows of orderOf(round)) {
      await replayFlows(lab, firstHost, guestAddress(1), flows);
      for (const [from, to] of [[firstHost, away] as const, [away, firstHost] as const]) {
        const report = await migrate(lab, from, to, ["--probe", "tcp-echo:7@client"]);
        const move = moveOf(round, flows, report);
        if (options.json) print(JSON.stringify(move));
        else printMove(move, moves.length === 0);
        moves.push(move);
      }
    }
  }
  const summary = summaryOf(counts, moves);
  if (options.json) print(JSON.stringify(summary));
  else printSummary(summary);
}

/** Each number of flows begins a round in turn. */
function orderOf(round: number): number[] {
  const shift = (round - 1) % counts.length;
  return [...counts.slice(shift), ...counts.slice(0, shift)];
}

function countsOf(list: string): number[] {
  const all = list.split(",").map((text) => numberOf("flow-carry", "flows", text, mostFlows));
  if (new Set(all).size === all.length) return all.toSorted((one, other) => one - other);
  process.stderr.write(`flow-carry: --flows ${list}: each number once\n`);
  process.exit(ExitCode.usage);
}
