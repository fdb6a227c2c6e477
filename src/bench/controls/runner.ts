import { refuseUnlessOutside } from "../../lab/requirements.ts";
import { monotonicMs } from "../../platform/clock.ts";
import { SojournError, usageError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import { controls, type Runner, type RunRequest, type RunResult } from "../run.ts";
import { type Blackout, EventTimes } from "./blackout.ts";
import { waitForEcho } from "./echo.ts";
import { type ControlGuest, controlGuest } from "./guest.ts";
import { moveGuest } from "./move.ts";
import { pauseGuest } from "./pause.ts";
import { PlainQemu } from "./plain-qemu.ts";
import { type Measured, startMeasurement } from "./probes.ts";
import { type Site, siteOf } from "./site.ts";

export interface ControlRunnerOptions {
  /** A lab that is up. */
  lab: string;
  /** Where the guest starts; its address is of this host's guest subnet. */
  from: string;
  to: string;
  memoryMib: number;
  /** More words for the guest's kernel command line. */
  append: string;
  logger: Logger;
  signal: AbortSignal;
}

const bootWithinMs = 60_000;
const answerWithinMs = 10_000;

/**
 * Boots a guest of its own for the controls `same-subnet` and `pause`, on a switch that reaches both hosts, beside
 * the daemons and their guests. All of it lives in the lab's namespaces and folder, so `lab down` removes it too.
 * @throws SojournError `SOJ_BENCH_BUSY`, `SOJ_BENCH_NO_GUEST`, `SOJ_BENCH_GUEST_SILENT`, `SOJ_LAB_…`,
 * `SOJ_HYPERVISOR_START_FAILED`, or the signal's reason; nothing is left then.
 */
export async function createControlRunner(options: ControlRunnerOptions): Promise<Runner> {
  refuseUnlessOutside();
  options.signal.throwIfAborted();
  const guest = controlGuest(options);
  await using starting = new AsyncDisposableStack();
  const site = starting.use(await siteOf(guest));
  const qemu = await PlainQemu.start(site, guest.from, options.logger);
  const runner = starting.use(new ControlRunner(guest, site, qemu, options.logger));
  await qemu.execute("cont");
  await waitForEcho(guest, bootWithinMs, options.signal);
  const resources = starting.move();
  return {
    run: (request, signal) => runner.run(request, signal),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

class ControlRunner implements Runner {
  readonly #guest: ControlGuest;
  readonly #site: Site;
  readonly #logger: Logger;
  /** The process that runs the guest. */
  #qemu: PlainQemu;

  constructor(guest: ControlGuest, site: Site, qemu: PlainQemu, logger: Logger) {
    this.#guest = guest;
    this.#site = site;
    this.#qemu = qemu;
    this.#logger = logger;
  }

  async run(request: RunRequest, signal: AbortSignal): Promise<RunResult> {
    const act = this.#actionOf(request, signal);
    await using measurement = await startMeasurement(
      this.#guest,
      request.load,
      this.#logger,
      signal,
    );
    const startMs = monotonicMs();
    const times = new EventTimes();
    const blackout = await act(times);
    const endMs = monotonicMs();
    const { probes, throughput } = await this.#settle(
      measurement,
      times,
      blackout,
      startMs,
      signal,
    );
    await waitForEcho(this.#guest, answerWithinMs, signal);
    return {
      blackoutMs: rounded(blackout.resume.timestampMs - blackout.stop.timestampMs),
      controlMs: null,
      totalMs: rounded(endMs - startMs) ?? 0,
      move: null,
      probes,
      timeline: (["stop", "resume"] as const).map((phase) => ({
        phase,
        at_ms: rounded(times.monotonicMsOf(blackout[phase]) - startMs) ?? 0,
        host: phase === "stop" ? blackout.stopHost : blackout.resumeHost,
      })),
      throughput,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#qemu[Symbol.asyncDispose]();
  }

  #actionOf(request: RunRequest, signal: AbortSignal): (times: EventTimes) => Promise<Blackout> {
    switch (request.strategy) {
      case "same-subnet":
        return (times) => this.#move(times, signal);
      case "pause":
        return (times) => pauseGuest(this.#qemu, request.pauseMs, times, signal);
      default:
        throw usageError(`${request.strategy} is not one of ${controls.join(", ")}`);
    }
  }

  async #move(times: EventTimes, signal: AbortSignal): Promise<Blackout> {
    const source = this.#qemu;
    const { from, to } = this.#guest;
    const destination = await PlainQemu.startIncoming(
      this.#site,
      source.host === from ? to : from,
      this.#logger,
    );
    const { blackout, at, error } = await moveGuest(source, destination, times, signal);
    this.#qemu = at;
    await (at === source ? destination : source)[Symbol.asyncDispose]();
    if (blackout !== null) return blackout;
    throw error instanceof SojournError || signal.aborted
      ? error
      : new SojournError("SOJ_BENCH_MOVE", "the guest did not move", { cause: error });
  }

  #settle(
    measurement: Awaited<ReturnType<typeof startMeasurement>>,
    times: EventTimes,
    { stop, resume }: Blackout,
    startMs: number,
    signal: AbortSignal,
  ): Promise<Measured> {
    return measurement.finish(
      { startMs, stoppedMs: times.monotonicMsOf(stop), resumedMs: times.monotonicMsOf(resume) },
      signal,
    );
  }
}

function rounded(ms: number): number | null {
  return Number.isFinite(ms) ? Math.round(ms * 100) / 100 : null;
}
