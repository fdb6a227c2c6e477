import { Command } from "commander";
import type { BenchFlags } from "../../bench/options.ts";
import type { BenchRequest } from "../bench/run.ts";

export type BenchCommandFlags = BenchFlags & BenchRequest;

export function benchCommand(): Command {
  return new Command("bench")
    .description("measure what moves cost a guest's peers, in a lab or with a guest of this host")
    .option("--strategies <a,b>", "ways to move, and controls (lossless,same-subnet,pause)")
    .option("--runs <n>", "runs of each strategy (10)")
    .option("--memory <MiB,…>", "memory of the lab's guest (128)")
    .option("--dirty <MBps,…>", "megabytes a second that the lab's guest writes (0)")
    .option("--load <a,b>", "what measures: echo, stream, http, packet (echo,stream)")
    .option("--tunnel <kind,…>", "tunnel (auto)")
    .option("--script-bandwidth <Mbps>", "what the script of script-2009 reckons with (100)")
    .option("--out <dir>", "write results.json, runs.csv and report.html there, after every run")
    .option("--lab <name>", "use this lab if it is up, else give the new one this name")
    .option("--guest <name>", "no lab: move this guest, which runs on this host, there and back")
    .option("--to <host>", "with --guest: the other host")
    .option("--json", "one JSON value a line; the last is the summary or an error")
    .action(async (flags: BenchCommandFlags) => {
      const { runBench } = await import("../bench/run.ts");
      await runBench(flags);
    });
}
