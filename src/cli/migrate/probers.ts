import type { MigrationReport } from "../../migrator/report.ts";
import { delay } from "../../platform/clock.ts";
import type { Logger } from "../../platform/log.ts";
import { analyzeProbes } from "../../probe/analysis.ts";
import { type Prober, startProber } from "../../probe/prober.ts";
import type { MigrationInstants } from "../../probe/results.ts";
import type { ProbeSeries } from "../../probe/series.ts";
import type { ProbeSpec } from "./probe-spec.ts";

/** What the probers say of one migration. */
export interface Measurement {
  probes: MigrationReport["probes"];
  flows: MigrationReport["flows"];
  series: ProbeSeries[];
}

/** The probers of one migration, all in processes of their own; disposing ends them. */
export interface Probers extends AsyncDisposable {
  /** Lets them run undisturbed: the longest hole of this time is the noise floor. */
  measureFloor(durationMs: number, signal: AbortSignal): Promise<void>;
  finish(instants: MigrationInstants): Promise<Measurement>;
}

/**
 * Starts the probers at the same time and waits until all sessions answer.
 * @throws SojournError as `startProber`; those that had started are ended.
 */
export async function startProbers(
  specs: readonly ProbeSpec[],
  address: string,
  logger: Logger,
  signal: AbortSignal,
): Promise<Probers> {
  await using starting = new AsyncDisposableStack();
  const attempts = await Promise.allSettled(
    specs.map(async (spec) => {
      const commandPrefix = spec.node === null ? [] : await prefixOf(spec.node);
      const { kind, port } = spec;
      const options = { kind, host: address, port, commandPrefix, logger, signal };
      return starting.use(await startProber(options));
    }),
  );
  const failed = attempts.find((attempt) => attempt.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const probers = attempts.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const running = starting.move();
  return {
    measureFloor: (durationMs, ended) => delay(durationMs, ended),
    finish: (instants) => measure(probers, instants),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function measure(
  probers: readonly Prober[],
  instants: MigrationInstants,
): Promise<Measurement> {
  const series = await Promise.all(probers.map((prober) => prober.stop()));
  const sessions = series.filter((one) => one.kind !== "packet");
  const broken = sessions.filter((one) => one.broken !== null).length;
  return {
    probes: analyzeProbes(series, instants),
    flows: { established: sessions.length, survived: sessions.length - broken },
    series,
  };
}

async function prefixOf(node: string): Promise<string[]> {
  const { chosenLab, labNodePrefix } = await import("../../lab/nodes.ts");
  return labNodePrefix(chosenLab(), node);
}
