import type { BenchObserver } from "../../bench/benchmark.ts";
import type { Output } from "../output.ts";
import { describeRun } from "./describe.ts";

/** Progress as JSON lines among the output's, or as sentences on standard error. */
export function createObserver(output: Output): BenchObserver {
  if (output.json) {
    return {
      say: (message) => output.record({ type: "progress", message }),
      starting: (progress) => output.record({ type: "progress", ...progress }),
      ended: (
        { timeline: _timeline, throughput: _throughput, ...run },
        { cell, run: number, runs },
      ) => {
        const { figures, failed, move, ...facts } = run;
        const place = { cell, run: number, runs };
        output.record({ type: "run", ...facts, ...place, failed, ...figures, ...move });
      },
    };
  }
  const line = (text: string) => process.stderr.write(`${text}\n`);
  return {
    say: (message) => line(message),
    starting: ({ run, runs, strategy, remaining_ms }) => {
      const remaining = remaining_ms === null ? "" : `, ${wholeDuration(remaining_ms)} left`;
      line(`run ${run} of ${runs}${remaining}: ${strategy}`);
    },
    ended: (run) => line(`  ${describeRun(run)}`),
  };
}

/** `40 s`, `12 min`, `3 h 5 min`. */
export function wholeDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
