import { type Hole, holesBetween, longestHoleTouching, longestHoleWithin } from "./holes.ts";
import type { MigrationInstants, ProbeResults, TcpEchoResult, TcpStreamResult } from "./results.ts";
import type { EchoSeries, ProbeSeries, StreamSeries } from "./series.ts";
import { meanMbps, recoveryMs } from "./throughput.ts";

/**
 * What the peers saw of a migration: one result per kind that ran, several sessions of a kind put
 * together as the worst of them.
 */
export function analyzeProbes(
  series: readonly ProbeSeries[],
  instants: MigrationInstants,
): ProbeResults {
  const echoes = series.filter((one) => one.kind === "tcp-echo");
  const streams = series.filter((one) => one.kind === "tcp-stream");
  return {
    ...(echoes.length === 0
      ? {}
      : { tcp_echo: worstOf(echoes.map((one) => analyzeEcho(one, instants))) }),
    ...(streams.length === 0
      ? {}
      : { tcp_stream: worstStreamOf(streams.map((one) => analyzeStream(one, instants))) }),
  };
}

/**
 * Outage and floor of an echo session: times between consecutive arrivals of answers. The pace of the
 * requests is part of both figures; a request without an answer at the end keeps the last hole open
 * until there.
 */
export function analyzeEcho(series: EchoSeries, instants: MigrationInstants): TcpEchoResult {
  return analyzeHoles(series, [...echoHoles(series)], instants);
}

/**
 * Outage and floor of a download, from the times between consecutive reads that brought bytes, and its
 * throughput before and after.
 */
export function analyzeStream(series: StreamSeries, instants: MigrationInstants): TcpStreamResult {
  const { startMs, resumedMs, settledMs } = instants;
  const before = meanMbps(series, series.readyMs, startMs);
  const endMs = Math.min(settledMs, series.endMs);
  const afterMs = resumedMs === null ? null : Math.max(resumedMs, endMs - 1000);
  return {
    ...analyzeHoles(series, [...streamHoles(series)], instants),
    before_mbps: roundedTenth(before),
    after_mbps:
      afterMs === null || series.broken !== null
        ? null
        : roundedTenth(meanMbps(series, afterMs, endMs)),
    recovery_ms:
      resumedMs === null || before === null
        ? null
        : roundedTenth(recoveryMs(series, resumedMs, 0.9 * before)),
  };
}

/** Longest hole between two moments, also of a series that has nothing to do with a migration. */
export function longestHole(series: ProbeSeries, fromMs: number, toMs: number): number | null {
  return roundedTenth(longestHoleTouching(holesOf(series), fromMs, toMs));
}

/**
 * Verdict against a budget: false when a session broke or an outage was longer, null when no outage
 * was measured.
 * @param budgetMs longest allowed outage
 */
export function isWithinBudget(results: ProbeResults, budgetMs: number): boolean | null {
  const measured = [results.tcp_echo, results.tcp_stream].filter((one) => one !== undefined);
  if (measured.some((one) => one.broken > 0 || (one.outage_ms ?? 0) > budgetMs)) return false;
  return measured.some((one) => one.outage_ms !== null) ? true : null;
}

function analyzeHoles(
  series: ProbeSeries,
  holes: readonly Hole[],
  { startMs, settledMs }: MigrationInstants,
): TcpEchoResult {
  const isBroken = series.broken !== null;
  const floor = longestHoleWithin(holes, series.readyMs, startMs);
  const outage = isBroken ? null : longestHoleTouching(holes, startMs, settledMs);
  return {
    outage_ms: roundedTenth(outage),
    floor_ms: roundedTenth(floor),
    sessions: 1,
    broken: isBroken ? 1 : 0,
  };
}

function holesOf(series: ProbeSeries): Iterable<Hole> {
  return series.kind === "tcp-echo" ? echoHoles(series) : streamHoles(series);
}

function echoHoles(series: EchoSeries): Iterable<Hole> {
  const arrivals = series.receivedMs;
  const endMs = series.unanswered > 0 ? series.endMs : (arrivals.at(-1) ?? series.endMs);
  return holesBetween(arrivals, endMs);
}

function* streamHoles(series: StreamSeries): Generator<Hole> {
  let lastMs: number | null = null;
  for (let index = 0; index < series.bytes.length; index++) {
    if (series.bytes[index] === 0) continue;
    const endMs = series.gapEndMs[index] as number;
    const gapMs = series.gapMs[index] as number;
    if (gapMs > 0) yield { startMs: endMs - gapMs, endMs };
    // Only the bucket of the last arrival is known, not its moment: the earlier edge would overstate.
    lastMs = series.startMs + (index + 1) * series.bucketMs;
  }
  if (lastMs !== null && series.endMs > lastMs) yield { startMs: lastMs, endMs: series.endMs };
}

function worstOf(results: readonly TcpEchoResult[]): TcpEchoResult {
  const broken = results.reduce((sum, one) => sum + one.broken, 0);
  return {
    outage_ms: broken > 0 ? null : highest(results.map((one) => one.outage_ms)),
    floor_ms: highest(results.map((one) => one.floor_ms)),
    sessions: results.reduce((sum, one) => sum + one.sessions, 0),
    broken,
  };
}

function worstStreamOf(results: readonly TcpStreamResult[]): TcpStreamResult {
  return {
    ...worstOf(results),
    before_mbps: sumOrNull(results.map((one) => one.before_mbps)),
    after_mbps: sumOrNull(results.map((one) => one.after_mbps)),
    recovery_ms: results.some((one) => one.recovery_ms === null)
      ? null
      : highest(results.map((one) => one.recovery_ms)),
  };
}

function highest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}

function sumOrNull(values: readonly (number | null)[]): number | null {
  if (values.some((value) => value === null)) return null;
  return roundedTenth(values.reduce<number>((sum, value) => sum + (value ?? 0), 0));
}

function roundedTenth(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10) / 10;
}
