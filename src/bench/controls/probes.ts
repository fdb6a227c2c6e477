import { labNodePrefix } from "../../lab/nodes.ts";
import { delay, monotonicMs } from "../../platform/clock.ts";
import type { Logger } from "../../platform/log.ts";
import { analyzeProbes } from "../../probe/analysis.ts";
import type { Prober } from "../../probe/prober.ts";
import { floorMs, settleMs, startProberGroup } from "../../probe/prober-group.ts";
import type { MigrationInstants, ProbeResults } from "../../probe/results.ts";
import { defaultPorts, type ProbeSeries, throughputSince } from "../../probe/series.ts";
import { type ThroughputTimeline, throughputTimeline } from "../../probe/throughput-timeline.ts";
import { type Load, probeKindOf } from "../run.ts";
import type { ControlGuest } from "./guest.ts";

/** What the plot of a run shows around its blackout. */
const shown = { beforeStopMs: 2_000, afterResumeMs: 4_000, stepMs: 10 };

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
  const { address: host, lab } = guest;
  const commandPrefix = labNodePrefix(lab, "client");
  const group = await startProberGroup(
    load.map((one) => {
      const kind = probeKindOf[one];
      return { kind, host, port: defaultPorts[kind], commandPrefix, logger, signal };
    }),
  );
  await using starting = new AsyncDisposableStack();
  starting.use(group);
  await delay(floorMs, signal);
  const running = starting.move();
  return {
    async finish(instants, ended) {
      await delay(settleMs, ended);
      return measured(group.probers, { ...instants, settledMs: monotonicMs() });
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
