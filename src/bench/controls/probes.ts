import { labNodePrefix } from "../../lab/nodes.ts";
import { delay, monotonicMs } from "../../platform/clock.ts";
import type { Logger } from "../../platform/log.ts";
import { analyzeProbes } from "../../probe/analysis.ts";
import { type Prober, startProber } from "../../probe/prober.ts";
import type { MigrationInstants, ProbeResults } from "../../probe/results.ts";
import {
  defaultPorts,
  type ProbeKind,
  type ProbeSeries,
  throughputSince,
} from "../../probe/series.ts";
import { type ThroughputTimeline, throughputTimeline } from "../../probe/throughput-timeline.ts";
import type { Load } from "../run.ts";
import type { ControlGuest } from "./guest.ts";

/** As `sojourn migrate` does it, or the figures would not compare. */
const floorMs = 1_200;
const settleMs = 1_500;
/** What the plot of a run shows around its blackout. */
const shown = { beforeStopMs: 2_000, afterResumeMs: 4_000, stepMs: 10 };

const kindOf: Record<Load, ProbeKind> = {
  echo: "tcp-echo",
  stream: "tcp-stream",
  http: "http",
  packet: "packet",
};

export interface Measured {
  probes: ProbeResults;
  /** Null without a stream. */
  throughput: ThroughputTimeline | null;
}

/** On the monotonic clock. */
export interface BlackoutInstants {
  startMs: number;
  stoppedMs: number;
  resumedMs: number;
}

/** The probers of one run; disposing ends them. */
export interface RunMeasurement extends AsyncDisposable {
  /** Lets the sessions settle, ends them and says what they saw. @throws SojournError `SOJ_PROBER_DIED` */
  finish(instants: BlackoutInstants, signal: AbortSignal): Promise<Measured>;
}

/**
 * Starts the loads' probers at the client and lets them run undisturbed for the noise floor.
 * @throws SojournError as `startProber`; those that had started are ended.
 */
export async function startMeasurement(
  guest: ControlGuest,
  load: readonly Load[],
  logger: Logger,
  signal: AbortSignal,
): Promise<RunMeasurement> {
  await using starting = new AsyncDisposableStack();
  const commandPrefix = labNodePrefix(guest.lab, "client");
  const attempts = await Promise.allSettled(
    load.map(async (one) => {
      const [kind, host] = [kindOf[one], guest.address];
      const options = { kind, host, port: defaultPorts[kind], commandPrefix, logger, signal };
      return starting.use(await startProber(options));
    }),
  );
  const failure = attempts.find((attempt) => attempt.status === "rejected");
  if (failure !== undefined) throw failure.reason;
  const probers = attempts.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  await delay(floorMs, signal);
  const running = starting.move();
  return {
    async finish(instants, ended) {
      await delay(settleMs, ended);
      return measured(probers, { ...instants, settledMs: monotonicMs() });
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function measured(
  probers: readonly Prober[],
  instants: MigrationInstants & BlackoutInstants,
): Promise<Measured> {
  const series = await Promise.all(probers.map((prober) => prober.stop()));
  return { probes: analyzeProbes(series, instants), throughput: throughputOf(series, instants) };
}

function throughputOf(
  all: readonly ProbeSeries[],
  { startMs, stoppedMs, resumedMs }: BlackoutInstants,
): ThroughputTimeline | null {
  const stream = all.find((one) => one.kind === "tcp-stream");
  if (stream === undefined) return null;
  return throughputTimeline(throughputSince(stream, startMs), {
    originMs: 0,
    fromMs: stoppedMs - startMs - shown.beforeStopMs,
    toMs: resumedMs - startMs + shown.afterResumeMs,
    stepMs: shown.stepMs,
  });
}
