import type { MigrationReport } from "../../migrator/report.ts";
import { delay } from "../../platform/clock.ts";
import type { Logger } from "../../platform/log.ts";
import { analyzeProbes } from "../../probe/analysis.ts";
import type { Prober } from "../../probe/prober.ts";
import { startProberGroup } from "../../probe/prober-group.ts";
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
  const group = await startProberGroup(
    await Promise.all(
      specs.map(async ({ kind, port, node }) => {
        const commandPrefix = node === null ? [] : await prefixOf(node);
        return { kind, host: address, port, commandPrefix, logger, signal };
      }),
    ),
  );
  return {
    measureFloor: (durationMs, ended) => delay(durationMs, ended),
    finish: (instants) => measure(group.probers, instants),
    [Symbol.asyncDispose]: () => group[Symbol.asyncDispose](),
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
