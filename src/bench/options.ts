import { usageError } from "../platform/errors.ts";
import { tunnelKinds } from "../tunnels/tunnel.ts";
import type { Cell } from "./records.ts";
import { controls, type Load, loads, type Strategy, strategies } from "./run.ts";

/** The flags that say what is measured, as they were typed; absent ones take their defaults. */
export interface BenchFlags {
  strategies?: string;
  runs?: string;
  memory?: string;
  dirty?: string;
  load?: string;
  tunnel?: string;
  scriptBandwidth?: string;
}

/** A checked benchmark. */
export interface BenchPlan {
  strategies: Strategy[];
  /** Runs of each strategy in each cell. */
  rounds: number;
  /** Null: as the guest is. */
  memoryMib: number[] | null;
  dirtyMbytesPerSecond: number[] | null;
  load: Load[];
  tunnels: string[];
  /** What the script of `script-2009` believes of its network. */
  scriptBandwidthMbps: number;
}

const limits = { runs: 10_000, memoryMib: 65_536, dirtyMbytes: 10_000, mbps: 1_000_000, cells: 64 };

/** @throws SojournError `SOJ_USAGE` naming the flag that cannot be followed. */
export function planBench(flags: BenchFlags, where: { inLab: boolean }): BenchPlan {
  const plan: BenchPlan = {
    strategies: wordsOf(
      "--strategies",
      flags.strategies ?? "lossless,same-subnet,pause",
      strategies,
    ),
    rounds: numberOf("--runs", flags.runs ?? "10", { least: 1, most: limits.runs }),
    memoryMib: numbersOf("--memory", flags.memory, { least: 64, most: limits.memoryMib }),
    dirtyMbytesPerSecond: numbersOf("--dirty", flags.dirty, { least: 0, most: limits.dirtyMbytes }),
    load: wordsOf("--load", flags.load ?? "echo,stream", loads),
    tunnels: wordsOf("--tunnel", flags.tunnel ?? "auto", ["auto", ...tunnelKinds]),
    scriptBandwidthMbps: numberOf("--script-bandwidth", flags.scriptBandwidth ?? "100", {
      least: 1,
      most: limits.mbps,
    }),
  };
  if (!where.inLab) refuseLabOnly(plan, flags.strategies === undefined);
  if (plan.strategies.includes("pause") && !plan.strategies.includes("lossless")) {
    throw usageError(
      "--strategies: pause stops the guest for as long as lossless does, which is not among them",
      "add lossless",
    );
  }
  const cells =
    (plan.memoryMib?.length ?? 1) * (plan.dirtyMbytesPerSecond?.length ?? 1) * plan.tunnels.length;
  if (cells > limits.cells) {
    throw usageError(
      `${cells} combinations of memory, dirtying and tunnel: at most ${limits.cells}`,
    );
  }
  return plan;
}

const defaultMemoryMib = 128;

/** The matrix of a lab benchmark, in the order in which it is measured. */
export function cellsOf({ memoryMib, dirtyMbytesPerSecond, tunnels }: BenchPlan): Cell[] {
  return (memoryMib ?? [defaultMemoryMib]).flatMap((memory) =>
    (dirtyMbytesPerSecond ?? [0]).flatMap((dirty) =>
      tunnels.map((tunnel) => ({
        memory_mib: memory,
        dirty_mbytes_per_second: dirty === 0 ? null : dirty,
        tunnel,
      })),
    ),
  );
}

function refuseLabOnly(plan: BenchPlan, isDefault: boolean): void {
  if (isDefault) plan.strategies = ["lossless"];
  const unknown = controls.filter((control) => plan.strategies.includes(control));
  if (unknown.length > 0) {
    throw usageError(
      `--strategies ${unknown.join(",")}: a control needs both hosts on one switch; only the lab has that`,
      "name other strategies, or leave --guest out to measure in a lab",
    );
  }
  if (plan.memoryMib !== null || plan.dirtyMbytesPerSecond !== null) {
    throw usageError(
      "--memory and --dirty make a guest in the lab; --guest names one that is there",
    );
  }
}

function wordsOf<Word extends string>(flag: string, text: string, known: readonly Word[]): Word[] {
  return split(flag, text).map((word) => {
    const found = known.find((one) => one === word);
    if (found !== undefined) return found;
    throw usageError(`${flag}: there is no ${quoted(word)}`, `choose from ${known.join(", ")}`);
  });
}

interface Range {
  least: number;
  most: number;
}

function numbersOf(flag: string, text: string | undefined, range: Range): number[] | null {
  if (text === undefined) return null;
  return split(flag, text).map((word) => numberOf(flag, word, range));
}

function numberOf(flag: string, word: string, { least, most }: Range): number {
  const value = /^\d{1,9}$/.test(word) ? Number(word) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw usageError(`${flag} ${quoted(word)}: must be a whole number from ${least} to ${most}`);
}

function split(flag: string, text: string): string[] {
  const words = text.slice(0, 1000).split(",");
  if (new Set(words).size === words.length) return words;
  throw usageError(`${flag} ${quoted(text)} names something twice`);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
