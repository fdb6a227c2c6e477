import { delay } from "../platform/clock.ts";
import type { Logger } from "../platform/log.ts";
import type { ProberMessage } from "./messages.ts";
import { noSessionError, proberDiedError, proberStuckError } from "./prober-errors.ts";
import { type ProberExit, ProberProcess } from "./prober-process.ts";
import type { ProbeClock, ProbeKind, ProbeSeries } from "./series.ts";
import { type ProbeLive, SeriesBuilder } from "./series-builder.ts";
import { checkProbeTarget } from "./target.ts";

export interface ProberOptions {
  kind: ProbeKind;
  host: string;
  /** Null for packets. */
  port: number | null;
  /** Program and arguments before the prober's own, such as `nsenter --net=… --`; absolute path first. */
  commandPrefix?: readonly string[];
  /** Pace of requests; each kind has its own default. */
  intervalMs?: number;
  /** Upper bound of a download or upload in Mbit/s; without it, as fast as it comes. */
  maxMbps?: number;
  /** How long the first answer may take. */
  connectTimeoutMs?: number;
  /** Called about ten times a second while the prober runs. */
  onLive?: (live: ProbeLive) => void;
  /** Told the id of the measuring process as soon as it runs. */
  onProcess?: (pid: number) => void;
  logger?: Logger;
  /** Ends the start; a prober that has started is ended by `stop`. */
  signal?: AbortSignal;
}

/** A measurement that runs in a process of its own; disposing of it ends that process. */
export interface Prober extends AsyncDisposable {
  readonly kind: ProbeKind;
  readonly host: string;
  readonly port: number | null;
  readonly clock: ProbeClock;
  /** When the first answer had come, on the prober's monotonic clock. */
  readonly readyMs: number;
  /** Resolves when the process has ended, whatever the reason. */
  readonly exited: Promise<void>;
  /** What has been measured so far. */
  snapshot(): ProbeSeries;
  /**
   * Ends the measurement; the same series every time.
   * @throws SojournError `SOJ_PROBER_DIED` when the process ended before it was asked to.
   */
  stop(): Promise<ProbeSeries>;
}

const stopTimeoutMs = 5000;
/** A process and its runtime have to start as well before the session can. */
const startGraceMs = 10_000;

/**
 * Starts a prober and waits until its session answers; from then on the floor is measured.
 * @throws SojournError `SOJ_BAD_TARGET`, `SOJ_PROBE_NO_ANSWER` (precondition) when the target is
 * unreachable, silent or another service, `SOJ_PROBER_DIED` when the process could not do its work.
 */
export async function startProber(options: ProberOptions): Promise<Prober> {
  checkProbeTarget(options.kind, options);
  options.signal?.throwIfAborted();
  const connectTimeoutMs = options.connectTimeoutMs ?? 3000;
  const builder = new SeriesBuilder(options);
  const ready = Promise.withResolvers<void>();
  const onMessage = (message: ProberMessage) => {
    const live = builder.accept(message);
    if (live !== null && builder.readyMs > 0) options.onLive?.(live);
    if (message.type === "hello") options.onProcess?.(message.pid);
    if (message.type === "ready") ready.resolve();
    if (message.type === "no-session") ready.reject(noSessionError(options, message));
    if (message.type === "broken") {
      options.logger?.warn({ probe: options.kind, reason: message.reason }, message.message);
    }
  };
  const child = new ProberProcess(
    options.commandPrefix ?? [],
    proberArguments(options, connectTimeoutMs),
    onMessage,
  );
  const waiting = new AbortController();
  try {
    await Promise.race([
      ready.promise,
      child.exited.then((exit) => Promise.reject(proberDiedError(options, exit))),
      rejectAfter(connectTimeoutMs + startGraceMs, waiting.signal, () =>
        proberStuckError(options, "did not start"),
      ),
      rejectOnAbort(options.signal, waiting.signal),
    ]);
  } catch (error) {
    child.kill();
    await child.exited;
    throw error;
  } finally {
    waiting.abort();
  }
  options.logger?.debug({ probe: options.kind, host: options.host }, "the probe session is open");
  return new RunningProber(options, child, builder);
}

class RunningProber implements Prober {
  readonly kind: ProbeKind;
  readonly host: string;
  readonly port: number | null;
  readonly exited: Promise<void>;
  readonly #child: ProberProcess;
  readonly #builder: SeriesBuilder;
  #result: Promise<ProbeSeries> | null = null;
  #exit: ProberExit | null = null;

  constructor(options: ProberOptions, child: ProberProcess, builder: SeriesBuilder) {
    this.kind = options.kind;
    this.host = options.host;
    this.port = options.port;
    this.#child = child;
    this.#builder = builder;
    this.exited = child.exited.then((exit) => {
      this.#exit = exit;
    });
  }

  get clock(): ProbeClock {
    return this.#builder.clock;
  }

  get readyMs(): number {
    return this.#builder.readyMs;
  }

  snapshot(): ProbeSeries {
    return this.#builder.build();
  }

  stop(): Promise<ProbeSeries> {
    this.#result ??= this.#stop();
    return this.#result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#result === null) this.#child.kill();
    await this.#result?.catch(() => {});
    await this.exited;
  }

  async #stop(): Promise<ProbeSeries> {
    if (this.#exit !== null) throw proberDiedError(this, this.#exit);
    this.#child.sendStop();
    const waiting = new AbortController();
    try {
      const exit = await Promise.race([
        this.#child.exited,
        rejectAfter(stopTimeoutMs, waiting.signal, () => proberStuckError(this, "did not stop")),
      ]);
      if (exit.exitCode !== 0 || exit.error !== null) throw proberDiedError(this, exit);
      return this.#builder.build();
    } finally {
      waiting.abort();
      this.#child.kill();
    }
  }
}

function proberArguments(options: ProberOptions, connectTimeoutMs: number): string[] {
  const args = [options.kind, options.host, String(options.port ?? 0)];
  args.push("--connect-timeout-ms", String(connectTimeoutMs));
  if (options.intervalMs !== undefined) args.push("--interval-ms", String(options.intervalMs));
  if (options.maxMbps !== undefined) args.push("--max-mbps", String(options.maxMbps));
  return args;
}

async function rejectAfter(delayMs: number, over: AbortSignal, error: () => Error): Promise<never> {
  await delay(delayMs, over).catch(() => new Promise(() => {}));
  throw error();
}

function rejectOnAbort(signal: AbortSignal | undefined, over: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true, signal: over });
  });
}
