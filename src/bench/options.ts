import { leastMemoryMib } from "../lab/guests.ts";
import { maxLinkMbps } from "../lab/link-limit.ts";
import { type PolicyName, policyNames } from "../migrator/migration-options.ts";
import { usageError } from "../platform/errors.ts";
import { tunnelKinds } from "../tunnels/tunnel.ts";
import { cellCount } from "./cells.ts";
import { dirtyRatesOf } from "./dirty-rates.ts";
import { numberOf, numbersOf, wordsOf } from "./flag-values.ts";
import {
  controls,
  type Load,
  loads,
  type Strategy,
  strategies,
  type Traffic,
  traffics,
} from "./run.ts";

/** The flags that say what is measured, as they were typed; absent ones take their defaults. */
export interface BenchFlags {
  strategies?: string;
  runs?: string;
  memory?: string;
  dirty?: string;
  load?: string;
  tunnel?: string;
  scriptBandwidth?: string;
  linkMbps?: string;
  traffic?: string;
  policy?: string;
  postCopy?: string;
  timeout?: string;
  budget?: string;
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
  /** Of the lab's hosts; null: as much as the machine can. */
  linkMbps: number | null;
  /** What nothing is said of is null: cells do not differ in it. */
  traffics: Traffic[] | null;
  policies: PolicyName[] | null;
  postCopy: boolean[] | null;
  /** Of each move; null: as the host has it. */
  timeoutS: number | null;
  /** After which no run is begun any more; null: all are. */
  budgetS: number | null;
}

const limits = { runs: 10_000, memoryMib: 65_536, mbps: 1_000_000, seconds: 86_400, cells: 128 };

/** @throws SojournError `SOJ_USAGE` naming the flag that cannot be followed. */
export function planBench(flags: BenchFlags, where: { inLab: boolean }): BenchPlan {
  const linkMbps = optional("--link-mbps", flags.linkMbps, maxLinkMbps);
  const plan: BenchPlan = {
    strategies: wordsOf(
      "--strategies",
      flags.strategies ?? "lossless,same-subnet,pause",
      strategies,
    ),
    rounds: numberOf("--runs", flags.runs ?? "10", { least: 1, most: limits.runs }),
    memoryMib: numbersOf("--memory", flags.memory, {
      least: leastMemoryMib,
      most: limits.memoryMib,
    }),
    dirtyMbytesPerSecond: dirtyRatesOf(flags.dirty, linkMbps),
    load: wordsOf(
      "--load",
      flags.load ?? (flags.traffic === undefined ? "echo,stream" : "echo"),
      loads,
    ),
    tunnels: wordsOf("--tunnel", flags.tunnel ?? "auto", ["auto", ...tunnelKinds]),
    scriptBandwidthMbps: numberOf("--script-bandwidth", flags.scriptBandwidth ?? "100", {
      least: 1,
      most: limits.mbps,
    }),
    linkMbps,
    traffics: choices("--traffic", flags.traffic, traffics),
    policies: choices("--policy", flags.policy, policyNames),
    postCopy:
      choices("--post-copy", flags.postCopy, ["no", "yes"])?.map((word) => word === "yes") ?? null,
    timeoutS: optional("--timeout", flags.timeout, limits.seconds),
    budgetS: optional("--budget", flags.budget, limits.seconds),
  };
  if (!where.inLab) refuseLabOnly(plan, flags.strategies === undefined);
  if (plan.strategies.includes("pause") && !plan.strategies.includes("lossless")) {
    throw usageError(
      "--strategies: pause stops the guest for as long as lossless does, which is not among them",
      "add lossless",
    );
  }
  const cells = cellCount(plan);
  if (cells > limits.cells) {
    throw usageError(`${cells} combinations of what cells differ in: at most ${limits.cells}`);
  }
  return plan;
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
  if (plan.memoryMib !== null || plan.dirtyMbytesPerSecond !== null || plan.linkMbps !== null) {
    throw usageError(
      "--memory, --dirty and --link-mbps make a guest and links in the lab; --guest names one that is there",
    );
  }
}

function optional(flag: string, word: string | undefined, most: number): number | null {
  return word === undefined ? null : numberOf(flag, word, { least: 1, most });
}

function choices<Word extends string>(
  flag: string,
  text: string | undefined,
  known: readonly Word[],
): Word[] | null {
  return text === undefined ? null : wordsOf(flag, text, known);
}
