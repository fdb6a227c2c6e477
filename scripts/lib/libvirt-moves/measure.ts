import { labNodePrefix } from "../../../src/lab/index.ts";
import { delay, monotonicMs } from "../../../src/platform/clock.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { analyzeProbes } from "../../../src/probe/analysis.ts";
import type { Prober } from "../../../src/probe/prober.ts";
import { floorMs, settleMs, startProberGroup } from "../../../src/probe/prober-group.ts";
import { defaultPorts, type ProbeKind } from "../../../src/probe/series.ts";
import type { MovingLab } from "../lab-moves.ts";
import type { Method } from "./methods.ts";
import type { Move } from "./records.ts";

const probes: readonly ProbeKind[] = ["tcp-echo", "packet"];
/** After a long hole TCP tries again only after a long while (RFC 6298). */
const answersWithinMs = 60_000;

/**
 * One move, with an interactive session and echo requests of the client all the while; every method is measured in
 * the same way, from outside.
 */
export async function measuredMove(
  { name: lab, signal }: MovingLab,
  method: Method,
  from: string,
  to: string,
): Promise<Omit<Move, "type" | "round">> {
  const commandPrefix = labNodePrefix(lab, "client");
  const logger = createLogger("silent");
  await using group = await startProberGroup(
    probes.map((kind) => {
      const port = defaultPorts[kind];
      return { kind, host: method.address, port, commandPrefix, logger, signal };
    }),
  );
  await delay(floorMs, signal);
  const startMs = monotonicMs();
  const { blackoutMs, timeline } = await method.move(from, to, signal);
  const endMs = monotonicMs();
  await untilAnswered(group.probers, endMs, signal);
  await delay(settleMs, signal);
  const series = await Promise.all(group.probers.map((prober) => prober.stop()));
  const instants = { startMs, resumedMs: null, settledMs: monotonicMs() };
  const { tcp_echo: echo, packet } = analyzeProbes(series, instants);
  return {
    ...{ method: method.name, from, to },
    tcp_echo_outage_ms: echo?.outage_ms ?? null,
    tcp_echo_floor_ms: echo?.floor_ms ?? null,
    packet_outage_ms: packet?.outage_ms ?? null,
    packets_lost: packet?.lost ?? null,
    blackout_ms: blackoutMs,
    total_ms: Math.round(endMs - startMs),
    rto: echo?.rto ?? null,
    sessions_broken: echo?.broken ?? 0,
    timeline,
  };
}

/** A session whose hole is still open would be given a shorter one than it has. */
async function untilAnswered(
  probers: readonly Prober[],
  sinceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadlineMs = sinceMs + answersWithinMs;
  while (!probers.every((prober) => hasAnsweredOrBroken(prober, sinceMs))) {
    if (monotonicMs() > deadlineMs) return;
    await delay(50, signal);
  }
}

function hasAnsweredOrBroken(prober: Prober, sinceMs: number): boolean {
  const series = prober.snapshot();
  if (series.kind !== "tcp-echo") return true;
  return series.broken !== null || (series.receivedMs.at(-1) ?? 0) > sinceMs;
}
