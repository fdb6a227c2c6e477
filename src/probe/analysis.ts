import { worstHttpOf, worstOf, worstPacketOf, worstStreamOf } from "./combine.ts";
import { longestHoleTouching, longestHoleWithin } from "./holes.ts";
import { guestClockStep, guestGrowth, sessionGrowth } from "./readings.ts";
import {
  type HttpResult,
  type MigrationInstants,
  type PacketResult,
  type ProbeResults,
  type SessionResult,
  sessionResults,
  type TcpEchoResult,
  type TcpStreamResult,
} from "./results.ts";
import type {
  BytesSeries,
  EchoSeries,
  HttpSeries,
  PacketSeries,
  ProbeKind,
  ProbeSeries,
} from "./series.ts";
import { holesOf } from "./series-holes.ts";
import { meanMbps, recoveryMs } from "./throughput.ts";

/**
 * What the peers saw of a migration: one result per kind that ran, several sessions of a kind put
 * together as the worst of them.
 */
export function analyzeProbes(
  series: readonly ProbeSeries[],
  instants: MigrationInstants,
): ProbeResults {
  const all = <Kind extends ProbeKind, Result>(
    kind: Kind,
    analyze: (one: Extract<ProbeSeries, { kind: Kind }>, instants: MigrationInstants) => Result,
  ): Result[] =>
    series
      .filter((one): one is Extract<ProbeSeries, { kind: Kind }> => one.kind === kind)
      .map((one) => analyze(one, instants));
  const echoes = all("tcp-echo", analyzeEcho);
  const streams = all("tcp-stream", analyzeStream);
  const uploads = all("tcp-upload", analyzeStream);
  const https = all("http", analyzeHttp);
  const packets = all("packet", analyzePackets);
  return {
    ...(echoes.length === 0 ? {} : { tcp_echo: worstOf(echoes) }),
    ...(streams.length === 0 ? {} : { tcp_stream: worstStreamOf(streams) }),
    ...(uploads.length === 0 ? {} : { tcp_upload: worstStreamOf(uploads) }),
    ...(https.length === 0 ? {} : { http: worstHttpOf(https) }),
    ...(packets.length === 0 ? {} : { packet: worstPacketOf(packets) }),
  };
}

/**
 * Outage and floor of an echo session: times between consecutive arrivals of answers. The pace of the
 * requests is part of both figures; a request without an answer at the end keeps the last hole open
 * until there.
 */
export function analyzeEcho(series: EchoSeries, instants: MigrationInstants): TcpEchoResult {
  return analyzeSession(series, instants);
}

/**
 * Outage and floor of a download, from the times between consecutive reads that brought bytes (of an upload: looks
 * that saw bytes acknowledged), and its throughput before and after.
 */
export function analyzeStream(
  series: BytesSeries & ProbeSeries,
  instants: MigrationInstants,
): TcpStreamResult {
  const { startMs, resumedMs, settledMs } = instants;
  const before = meanMbps(series, series.readyMs, startMs);
  const endMs = Math.min(settledMs, series.endMs);
  const afterMs = resumedMs === null ? null : Math.max(resumedMs, endMs - 1000);
  return {
    ...analyzeSession(series, instants),
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

/** Outage and floor of an HTTP client as of an echo session, and the guest's own figures where it has them. */
export function analyzeHttp(series: HttpSeries, instants: MigrationInstants): HttpResult {
  const step = guestClockStep(series.guest, instants);
  const guest = guestGrowth(series.guest, instants);
  return {
    ...analyzeSession(series, instants),
    status_errors: series.statusErrors,
    guest_clock_step_ms: roundedTenth(step?.stepMs ?? null),
    guest_clock_error_ms: roundedTenth(step?.errorMs ?? null),
    guest_retransmissions: guest.retransmissions,
    guest_rto: guest.rto,
  };
}

/** Outage and floor between answers to different requests, a duplicate being none, and the counts. */
export function analyzePackets(series: PacketSeries, instants: MigrationInstants): PacketResult {
  const { outage_ms, floor_ms } = analyzeSession(series, instants);
  return { ...series.counts, outage_ms, floor_ms };
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
  const sessions = sessionResults(results);
  const outages = [...sessions, results.packet].map((one) => one?.outage_ms ?? null);
  if (sessions.some((one) => one.broken > 0)) return false;
  if (outages.some((outageMs) => (outageMs ?? 0) > budgetMs)) return false;
  return outages.some((outageMs) => outageMs !== null) ? true : null;
}

function analyzeSession(series: ProbeSeries, instants: MigrationInstants): SessionResult {
  const { startMs, settledMs } = instants;
  const isBroken = series.broken !== null;
  const holes = [...holesOf(series)];
  const floor = longestHoleWithin(holes, series.readyMs, startMs);
  const outage = isBroken ? null : longestHoleTouching(holes, startMs, settledMs);
  return {
    outage_ms: roundedTenth(outage),
    floor_ms: roundedTenth(floor),
    sessions: 1,
    broken: isBroken ? 1 : 0,
    ...sessionGrowth(series.tcp, instants),
  };
}

function roundedTenth(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10) / 10;
}
