import { delay, monotonicMs } from "../platform/clock.ts";
import { preconditionError } from "../platform/errors.ts";
import type { BlackoutLimit } from "./migrate-lines.ts";
import { runMigrate } from "./migrate-process.ts";
import type { Cell } from "./records.ts";
import {
  type Load,
  probeKindOf,
  type Runner,
  type RunRequest,
  type RunResult,
  type Strategy,
} from "./run.ts";

export interface MoveRunnerOptions {
  /** Runs `sojourn` on the host that is asked for all moves, also for those back to it. */
  commandLine: readonly string[];
  guest: string;
  /** The two hosts between which the guest goes. */
  hosts: readonly [string, string];
  /** Node of the lab that probes; null for the asking host itself. */
  probeNode: string | null;
  cell: Pick<Cell, "tunnel" | "policy" | "post_copy">;
  /** After which a move that has not converged is rolled back; null: as the host has it. */
  timeoutS: number | null;
  limitOf: BlackoutLimit;
  /** What `script-2009` sleeps. */
  scriptDelayMs: number;
  /** Where the guest is now. */
  locate: () => Promise<string | null>;
}

/** Beside what the move itself may take: its way back, and the probers before and after it. */
const runTimeoutMs = 180_000;
/** After a move the guest is on its new host for as long as it takes to say so. */
const locateWithinMs = 5_000;

/** Moves a guest to the other of two hosts, once a run, with `sojourn migrate`. */
export class MoveRunner implements Runner {
  readonly #options: MoveRunnerOptions;

  constructor(options: MoveRunnerOptions) {
    this.#options = options;
  }

  async run({ strategy, load }: RunRequest, signal: AbortSignal): Promise<RunResult> {
    const { commandLine, guest, cell, scriptDelayMs, timeoutS, limitOf } = this.#options;
    const to = await this.#otherHost();
    const args = ["migrate", guest, "--to", to, "--json", ...strategyArgs(strategy, scriptDelayMs)];
    args.push(...wishArgs(cell, timeoutS), ...probeArgs(load, this.#options.probeNode));
    const timeoutMs = runTimeoutMs + 3 * scriptDelayMs + (timeoutS ?? 0) * 1000;
    return runMigrate({
      ...{ commandLine, args, timeoutMs, signal },
      limitOf: (policy) => limitOf(policy ?? cell.policy),
    });
  }

  /** Moves the guest to a host without measuring, unless it is there. @throws SojournError as `run`. */
  async moveTo(host: string, signal: AbortSignal): Promise<void> {
    const { commandLine, guest, locate } = this.#options;
    if ((await locate()) === host) return;
    const args = ["migrate", guest, "--to", host, "--json", "--no-probe"];
    await runMigrate({ commandLine, args, timeoutMs: runTimeoutMs, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** @throws SojournError `SOJ_BENCH_GUEST` when the guest is on neither host. */
  async #otherHost(): Promise<string> {
    const { hosts, guest, locate } = this.#options;
    const deadline = monotonicMs() + locateWithinMs;
    for (;;) {
      const here = await locate();
      if (here !== null && hosts.includes(here)) return here === hosts[0] ? hosts[1] : hosts[0];
      if (monotonicMs() > deadline) {
        throw preconditionError(
          "SOJ_BENCH_GUEST",
          `${guest} runs on neither ${hosts.join(" nor ")}`,
          {
            hint: `sojourn guest show ${guest}`,
          },
        );
      }
      await delay(100);
    }
  }
}

/** `--strategy` of a move; our own way is the default. */
export function strategyArgs(strategy: Strategy, scriptDelayMs: number): string[] {
  if (strategy === "lossless") return [];
  const delayed = strategy === "script-2009" ? `:${scriptDelayMs}` : "";
  return ["--strategy", `${strategy}${delayed}`];
}

/** What of `sojourn migrate` a cell asks for. */
export function wishArgs(
  { tunnel, policy, post_copy }: Pick<Cell, "tunnel" | "policy" | "post_copy">,
  timeoutS: number | null,
): string[] {
  return [
    ...(tunnel === "auto" ? [] : ["--tunnel", tunnel]),
    ...(policy === undefined ? [] : ["--policy", policy]),
    ...(post_copy === true ? ["--post-copy"] : []),
    ...(timeoutS === null ? [] : ["--timeout", String(timeoutS)]),
  ];
}

/** How long a script sleeps that waits until a guest's memory must have been sent, in whole milliseconds. */
export function scriptDelayMs(memoryMib: number, bandwidthMbps: number): number {
  return Math.round((memoryMib * 1024 * 1024 * 8) / (bandwidthMbps * 1000));
}

function probeArgs(load: readonly Load[], node: string | null): string[] {
  const suffix = node === null ? "" : `@${node}`;
  return load.flatMap((one) => ["--probe", `${probeKindOf[one]}${suffix}`]);
}
