import { Command } from "commander";
import type { BenchFlags } from "../../bench/options.ts";
import { policyNames } from "../../migrator/migration-options.ts";
import type { BenchRequest } from "../bench/run.ts";

export type BenchCommandFlags = BenchFlags & BenchRequest;

export function benchCommand(): Command {
  return new Command("bench")
    .description("measure what moves cost a guest's peers, in a lab or with a guest of this host")
    .option("--strategies <a,b>", "ways to move, and controls (lossless,same-subnet,pause)")
    .option("--runs <n>", "runs of each strategy (10)")
    .option("--memory <MiB,…>", "memory of the lab's guest (128, from 80)")
    .option(
      "--dirty <MBps|TIMESx,…>",
      "megabytes a second that the lab's guest writes (0), or times what the link takes: 0.5x",
    )
    .option(
      "--link-mbps <Mbps>",
      "what each host's link takes, each way (as much as the machine can)",
    )
    .option("--load <a,b>", "what measures: echo, stream, http, packet (echo,stream)")
    .option("--traffic <a,b>", "idle, stream: without and with a bulk stream from the guest")
    .option("--policy <a,b>", `of the moves: ${policyNames.join(", ")}`)
    .option("--post-copy <a,b>", "no, yes: whether moves may go on after the switchover")
    .option("--timeout <s>", "roll a move back that has not converged after this time")
    .option("--budget <s>", "begin no run after this time")
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
