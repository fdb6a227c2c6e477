import type { Outcome } from "../migrator/report.ts";
import type { MoveFacts } from "./move-facts.ts";
import type { RunRecord } from "./records.ts";
import { type Spread, spreadOf } from "./statistics.ts";

/** Of the completed moves whose blackout and its limit are known, how many kept to it. */
export interface LimitKept {
  within: number;
  of: number;
  /** `within` ÷ `of`; null where nothing is known. */
  share: number | null;
}

/** How the `lossless` moves of a cell went. */
export interface MoveSummary {
  /** How often each outcome was seen; `failed` where none was told: refused, or its end is not known. */
  outcomes: Partial<Record<Outcome | "failed", number>>;
  /** Of those that completed, as are the next two. */
  blackout_ms: Spread;
  tcp_echo_outage_ms: Spread;
  tcp_stream_outage_ms: Spread;
  /** Of all, as are the rest. */
  lasted_ms: Spread;
  transferred_bytes: Spread;
  passes: Spread;
  dirty_mbps: Spread;
  throttled_percent: Spread;
  post_copy_ms: Spread;
  blackout_limit_ms: Spread;
  within_limit: LimitKept;
}

export function summarizeMoves(runs: readonly RunRecord[]): MoveSummary {
  const own = runs.filter(({ strategy }) => strategy === "lossless");
  const figures = (name: "blackout_ms" | "tcp_echo_outage_ms" | "tcp_stream_outage_ms") =>
    spreadOf(own.map((run) => run.figures?.[name] ?? null));
  const facts = (name: NumberOfMove) => spreadOf(own.map((run) => run.move?.[name] ?? null));
  return {
    outcomes: outcomesOf(own),
    blackout_ms: figures("blackout_ms"),
    tcp_echo_outage_ms: figures("tcp_echo_outage_ms"),
    tcp_stream_outage_ms: figures("tcp_stream_outage_ms"),
    lasted_ms: facts("lasted_ms"),
    transferred_bytes: facts("transferred_bytes"),
    passes: facts("passes"),
    dirty_mbps: facts("dirty_mbps"),
    throttled_percent: facts("throttled_percent"),
    post_copy_ms: facts("post_copy_ms"),
    blackout_limit_ms: facts("blackout_limit_ms"),
    within_limit: limitKept(own),
  };
}

export function limitKept(runs: readonly RunRecord[]): LimitKept {
  const known = runs.flatMap(({ strategy, move }) =>
    strategy !== "lossless" || move?.outcome !== "completed" || move.within_limit === null
      ? []
      : [move.within_limit],
  );
  const within = known.filter((kept) => kept).length;
  const share = known.length === 0 ? null : Math.round((within / known.length) * 1000) / 1000;
  return { within, of: known.length, share };
}

type NumberOfMove = {
  [Name in keyof MoveFacts]: MoveFacts[Name] extends number | null ? Name : never;
}[keyof MoveFacts];

function outcomesOf(runs: readonly RunRecord[]): MoveSummary["outcomes"] {
  const outcomes: MoveSummary["outcomes"] = {};
  for (const { move } of runs) {
    const outcome = move?.outcome ?? "failed";
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  return outcomes;
}
