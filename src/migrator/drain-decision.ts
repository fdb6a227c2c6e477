import type { Drain, RetirementReason } from "./records.ts";

/** How many flows one look at home's connection tracking has found. */
export interface Look {
  /** That keep the redirect. */
  needing: number;
  /** Of sessions that have been idle for too long. */
  idle: number;
}

export interface DrainFacts {
  /** The drain has gone on for so long, by clocks that nobody sets. */
  elapsedMs: number;
  /** The same when this host saw the name's update; null until then. */
  nameElapsedMs: number | null;
  /** The same when home's kernel began anew, and knew no flow; null when it has not. */
  rebootElapsedMs: number | null;
  /** The newest looks that succeeded one after another, oldest first. */
  looks: readonly Look[];
}

export type DrainDecision =
  | { retire: RetirementReason }
  /** `name`: it leads to the old address still, or resolvers may say so; `flows`: some need the redirect. */
  | { waitsFor: "name" | "flows" };

/** One may fall between a session's end and the next one's beginning. */
const looksInARow = 2;

/**
 * Whether a renumbered guest's redirect may go. Pure. In order: its cap; the name, updated and forgotten by resolvers;
 * its flows, of which two looks in a row must have found none that needs it. What could not be looked at is needed, and
 * after a reboot so is what may only be idle.
 */
export function decideDrain(drain: Drain, facts: DrainFacts): DrainDecision {
  const { elapsedMs, looks } = facts;
  if (drain.capS !== null && elapsedMs >= drain.capS * 1000) return { retire: "cap" };
  if (!isNameForgotten(drain, facts)) return { waitsFor: "name" };
  if (hasForgotten(drain, facts)) return { waitsFor: "flows" };
  const last = looks.slice(-looksInARow);
  if (last.length < looksInARow || last.some(({ needing }) => needing > 0)) {
    return { waitsFor: "flows" };
  }
  return { retire: (last.at(-1)?.idle ?? 0) > 0 ? "idle" : "last-flow" };
}

/** Home's kernel sees a session that goes on only when that sends something. */
function hasForgotten(
  { idleTimeoutS }: Drain,
  { elapsedMs, rebootElapsedMs }: DrainFacts,
): boolean {
  return rebootElapsedMs !== null && elapsedMs - rebootElapsedMs < idleTimeoutS * 1000;
}

/** No resolver answers with the old address any more. */
function isNameForgotten({ nameTtlS }: Drain, { elapsedMs, nameElapsedMs }: DrainFacts): boolean {
  return nameElapsedMs !== null && elapsedMs - nameElapsedMs >= nameTtlS * 1000;
}
