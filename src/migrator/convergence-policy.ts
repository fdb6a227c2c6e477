import type { ThrottleParameters } from "../hypervisor/hypervisor.ts";
import type { MigrationOptions } from "./migration-options.ts";

/** A blackout of this length is never worth another pass, whatever the limit: the devices alone take a part of it. */
export const shortBlackoutMs = 30;

/** Passes in a row that promise nothing before post-copy is taken to. */
const unpromisingPasses = 2;

/** A pass that leaves more than this share of what the one before it left has not helped. */
const improvement = 0.8;

/** What a policy may do to a guest. */
export interface PolicyLimits extends Pick<MigrationOptions, "policy" | "postCopy"> {
  /** Longest predicted blackout; `finish` goes on from there to `finishLimitMs`. */
  downtimeLimitMs: number;
  finishLimitMs: number;
  /** Dirty syncs (QEMU's passes) before arming, at least 2. */
  minimumPasses: number;
}

/** The blackout that is accepted at present, and the passes that led to it. */
export interface Budget {
  ms: number;
  previousPredictedMs: number | null;
  /** Passes in a row after which convergence was not in sight. */
  unpromising: number;
}

/** What is known when a pass begins. */
export interface PassFigures {
  number: number;
  /** Of a stop now. */
  predictedMs: number;
  /** Of the time that the migration has, 0 to 1. */
  elapsedShare: number;
  throttlePercent: number | null;
  /** As the forecast has it. */
  converges: boolean;
}

export type Decision = "arm" | "wait" | "post-copy";

/** How far auto-converge may slow the guest; null for not at all: then, or by post-copy, it goes on as it was. */
export function throttleOf({
  policy,
  postCopy,
}: Pick<PolicyLimits, "policy" | "postCopy">): ThrottleParameters | null {
  if (postCopy) return null;
  switch (policy) {
    case "gentle":
      return null;
    case "balanced":
      return { initialPercent: 20, incrementPercent: 10, maximumPercent: 80 };
    case "finish":
      return { initialPercent: 20, incrementPercent: 20, maximumPercent: 99 };
  }
}

/** The longest predicted blackout that the policy ever accepts. */
export function longestBudgetMs(limits: PolicyLimits): number {
  const { policy, downtimeLimitMs, finishLimitMs } = limits;
  const longest = policy === "finish" ? Math.max(downtimeLimitMs, finishLimitMs) : downtimeLimitMs;
  return Math.max(longest, shortBlackoutMs);
}

/** Before any pass: a quarter of the limit. */
export function firstBudget({ downtimeLimitMs }: Pick<PolicyLimits, "downtimeLimitMs">): Budget {
  const ms = Math.max(downtimeLimitMs / 4, shortBlackoutMs);
  return { ms, previousPredictedMs: null, unpromising: 0 };
}

/**
 * What to do after a pass, and the budget from then on: each pass that does not help doubles it, up to the downtime limit;
 * with `finish` on to its own limit once the guest is throttled as far as can be, or half the time is over. Near the end
 * of the time the policy's whole budget counts. Pure.
 */
export function afterPass(
  budget: Budget,
  pass: PassFigures,
  limits: PolicyLimits,
): { decision: Decision; budget: Budget } {
  const { predictedMs, converges } = pass;
  const next: Budget = {
    ms: budgetMs(budget, pass, limits),
    previousPredictedMs: predictedMs,
    unpromising: converges ? 0 : budget.unpromising + 1,
  };
  if (pass.number < Math.max(2, limits.minimumPasses)) return { decision: "wait", budget: next };
  if (predictedMs <= next.ms) return { decision: "arm", budget: next };
  const isHopeless = next.unpromising >= unpromisingPasses || pass.elapsedShare >= 0.5;
  return { decision: limits.postCopy && isHopeless ? "post-copy" : "wait", budget: next };
}

function budgetMs(budget: Budget, pass: PassFigures, limits: PolicyLimits): number {
  const longest = longestBudgetMs(limits);
  if (pass.elapsedShare >= 0.8) return longest;
  const { previousPredictedMs } = budget;
  const helped =
    previousPredictedMs === null || pass.predictedMs < improvement * previousPredictedMs;
  if (helped) return budget.ms;
  const isPressed =
    (pass.throttlePercent ?? 0) >= (throttleOf(limits)?.maximumPercent ?? Infinity) ||
    pass.elapsedShare >= 0.5;
  const ceiling = isPressed ? longest : Math.min(longest, limits.downtimeLimitMs);
  return Math.max(budget.ms, Math.min(2 * budget.ms, ceiling));
}
