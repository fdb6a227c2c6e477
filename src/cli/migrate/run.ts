import { createClient, type SojournClient } from "../../client/index.ts";
import type { MigrationPlan, MigrationRequest, StartConduct } from "../../daemon/services.ts";
import { delay, monotonicMs } from "../../platform/clock.ts";
import { preconditionError } from "../../platform/errors.ts";
import { createLogger } from "../../platform/log.ts";
import { floorMs, settleMs } from "../../probe/prober-group.ts";
import { type StreamSeries, throughputSince } from "../../probe/series.ts";
import { type ThroughputTimeline, throughputTimeline } from "../../probe/throughput-timeline.ts";
import type { Output } from "../output.ts";
import { printReport } from "../print-report.ts";
import { describePlan } from "./describe.ts";
import type { EventClock } from "./event-clock.ts";
import { type Followed, followMigration } from "./follow.ts";
import { cancelOn, catchInterruption, detached } from "./interruption.ts";
import type { ProbeSpec } from "./probe-spec.ts";
import type { Measurement, Probers } from "./probers.ts";
import { createView } from "./view.ts";

/** How much of the throughput before the stop is told. */
const beforeStopMs = 2_000;

/** `migrate --dry-run`: what would be done, host by host. */
export async function printPlan(request: MigrationRequest, output: Output): Promise<void> {
  const plan = await createClient().planMigration(request);
  output.result(plan, () => describePlan(plan));
}

/** `migrate --detach`: starts it and prints the id. */
export async function startDetached(
  request: MigrationRequest,
  conduct: StartConduct,
  output: Output,
): Promise<void> {
  const started = await createClient().startMigration(request, conduct);
  output.result({ type: "started", ...started }, () => started.id);
}

/** A migration, and what this command is to it. */
export interface WantedMigration extends Pick<StartConduct, "idempotencyKey" | "traceParent"> {
  request: MigrationRequest;
  /** It is cancelled when this command is interrupted or dies. */
  abortOnExit: boolean;
}

/**
 * `migrate`: probes, moves, follows, and prints the report; sets the exit code by the outcome.
 * @throws SojournError before anything was changed (exit code 3), or what the daemon reports.
 */
export async function runMigration(
  wanted: WantedMigration,
  specs: readonly ProbeSpec[],
  output: Output,
): Promise<void> {
  const { request } = wanted;
  using interruption = catchInterruption(wanted.abortOnExit);
  const { signal } = interruption;
  const client = createClient();
  const plan = await planOfNew(client, wanted);
  if (plan === null) {
    const { followed } = await moveAndFollow(client, wanted, signal, output);
    printReport(followed.report, output);
    return;
  }
  for (const warning of plan.warnings) output.warning(warning);
  await using probers = await openProbers(client, request, specs, output, signal);
  await probers?.measureFloor(floorMs, signal);
  signal.throwIfAborted();
  const startMs = monotonicMs();
  const { id, followed } = await moveAndFollow(client, wanted, signal, output);
  if (probers === null) {
    printReport(followed.report, output);
    return;
  }
  const measurement = await measure(probers, followed, startMs);
  const stream = measurement.series.find((one) => one.kind === "tcp-stream");
  const originMs = followed.clock.originMs ?? startMs;
  const throughput = stream === undefined ? null : aroundTheMove(stream, followed.clock, originMs);
  const { probes: results, flows } = measurement;
  const report = await client.addProbeResults(id, results, flows, throughput);
  if (throughput !== null) output.record({ type: "throughput", ...throughput });
  printReport(report, output, stream === undefined ? null : { stream, originMs });
}

/**
 * Null when an earlier request with the same key began it already. Otherwise whatever is wrong with the request is
 * told before a prober disturbs anybody.
 */
async function planOfNew(
  client: SojournClient,
  wanted: WantedMigration,
): Promise<MigrationPlan | null> {
  const { idempotencyKey: key } = wanted;
  const isKnown = async () => key !== undefined && (await client.findMigrations(key)).length > 0;
  if (await isKnown()) return null;
  try {
    return await client.planMigration(wanted.request);
  } catch (error) {
    if (await isKnown()) return null;
    throw error;
  }
}

async function moveAndFollow(
  client: SojournClient,
  wanted: WantedMigration,
  interrupted: AbortSignal,
  output: Output,
): Promise<{ id: string; followed: Followed }> {
  const { request, abortOnExit, ...conduct } = wanted;
  const { id } = await client.startMigration(request, {
    abortUnlessFollowed: abortOnExit,
    ...conduct,
  });
  output.line(`migration ${id}: ${request.guest} to ${request.to}`);
  using ending = cancelOn(abortOnExit ? interrupted : null, client, id, output);
  const signal = ending?.never ?? interrupted;
  const options = { abortOnDisconnect: abortOnExit };
  const followed = await followMigration(client, id, createView(output), signal, options);
  if (followed === null) throw detached(id);
  return { id, followed };
}

async function measure(
  probers: Probers,
  { clock }: Followed,
  startMs: number,
): Promise<Measurement> {
  await delay(settleMs);
  return probers.finish({
    startMs,
    stoppedMs: clock.timeOf("stop"),
    resumedMs: clock.timeOf("resumed") ?? clock.timeOf("resume"),
    settledMs: monotonicMs(),
  });
}

/** From 2 s before the stop until the sessions were no longer watched. */
function aroundTheMove(
  stream: StreamSeries,
  clock: EventClock,
  originMs: number,
): ThroughputTimeline {
  const stoppedMs = clock.timeOf("stop") ?? originMs;
  const fromMs = stoppedMs - originMs - beforeStopMs;
  const series = throughputSince(stream, originMs);
  return throughputTimeline(series, {
    originMs: 0,
    fromMs,
    toMs: stream.endMs - originMs,
    stepMs: 10,
  });
}

async function openProbers(
  client: SojournClient,
  { guest, max_outage_ms: budgetMs }: MigrationRequest,
  specs: readonly ProbeSpec[],
  output: Output,
  signal: AbortSignal,
): Promise<Probers | null> {
  if (specs.length === 0) return null;
  const { addresses, redirect } = await client.showGuest(guest);
  const [address] = addresses;
  if (redirect === "retired") {
    const why = `${guest}'s redirect is retired: no address reaches it from before its way home until after`;
    if (budgetMs === undefined) {
      output.warning(`${why}; it is moved without a measurement`);
      return null;
    }
    throw preconditionError("SOJ_NO_ADDRESS", why, { hint: "move it without --max-outage" });
  }
  if (address === undefined) {
    throw preconditionError("SOJ_NO_ADDRESS", `${guest} has no address that could be probed`, {
      hint: "--no-probe moves it without a measurement",
    });
  }
  const { startProbers } = await import("./probers.ts");
  return startProbers(specs, address.split("/")[0] ?? address, createLogger("warn"), signal);
}
