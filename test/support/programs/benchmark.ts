// Stands for `sojourn bench --json`: what is printed, and how it ends, depends on the guest's name.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const args = process.argv.slice(2);
const after = (flag: string) => args[args.indexOf(flag) + 1] ?? "";
const print = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
const progress = (run: number, strategy: string) =>
  print({ type: "progress", run, runs: 2, strategy, remaining_ms: null });
const figures = { median: 24.1, p95: 30, max: 31 };
const summary = (runs: number, failed: number) => ({
  strategies: {
    lossless: {
      ...{ runs, failed, tcp_echo_outage_ms: figures, tcp_stream_outage_ms: figures },
      ...{ blackout_ms: figures, control_ms: figures, packets_lost: 0, packets_reordered: 0 },
      ...{ packets_duplicated: null, rto: 0, sessions_broken: 0 },
    },
  },
  ratios: {},
});
const error = (code: string) => print({ type: "error", code, message: "no", hint: null });

mkdirSync(after("--out"), { recursive: true });
writeFileSync(join(after("--out"), "arguments.json"), JSON.stringify(args));
const behaviours: Record<string, () => void> = {
  web1: () => {
    print({ type: "progress", message: "about to begin" });
    progress(1, "lossless");
    print({ type: "run", run: 1 });
    progress(2, "flip");
    print(summary(2, 0));
  },
  fails: () => {
    progress(1, "lossless");
    print({ type: "partial", ...summary(0, 3) });
    error("SOJ_BENCH_FAILING");
    process.exitCode = 1;
  },
  breaks: () => {
    process.stderr.write("out of order\n");
    process.exitCode = 1;
  },
  babbles: () => {
    process.stdout.write("x".repeat(1024 * 1024));
    setInterval(() => {}, 60_000);
  },
  lasts: () => {
    const alive = setInterval(() => {}, 60_000);
    process.on("SIGTERM", () => {
      clearInterval(alive);
      error("SOJ_BENCH_INTERRUPTED");
      process.exitCode = 6;
    });
    progress(1, "lossless");
  },
};
behaviours[after("--guest")]?.();
