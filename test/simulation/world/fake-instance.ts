import type { GuestDefinition } from "../../../src/hypervisor/definition.ts";
import { EventHub, type WaitOptions } from "../../../src/hypervisor/event-hub.ts";
import type {
  GuestEvent,
  GuestInstance,
  MigrationProgress,
  NicAttachment,
  OutgoingParameters,
  OutgoingPreparation,
  OutgoingReadiness,
  RunState,
  StreamFeatures,
} from "../../../src/hypervisor/hypervisor.ts";
import type { Timer } from "../../../src/platform/clock.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { streamOf } from "../../../src/platform/event-stream.ts";
import type { Logger } from "../../../src/platform/log.ts";
import { type DaemonProcess, never } from "./daemon-process.ts";
import type { FakeQemu } from "./fake-qemu.ts";
import type { Links } from "./links.ts";
import type { Random } from "./random.ts";
import { Stream } from "./stream.ts";

export interface InstanceContext {
  process: DaemonProcess;
  random: Random;
  links: Links;
  logger: Logger;
  held: boolean;
  processAt(port: number): FakeQemu | null;
}

/** How long a monitor that does not answer is waited for. */
const answerTimeoutMs = 10_000;

/** One daemon's connection to a hypervisor process. What it has sent is done even when the daemon is gone. */
export class FakeInstance implements GuestInstance {
  readonly guest: string;
  readonly instanceId: string;
  readonly pid: number;
  readonly definition: GuestDefinition;
  readonly nics: readonly NicAttachment[] = [];
  readonly incoming: boolean;
  readonly consolePath = "";
  readonly ended: Promise<void>;
  protected readonly qemu: FakeQemu;
  protected readonly context: InstanceContext;
  protected readonly hub: EventHub;
  #knownToLive = true;
  #busyUntilMs = 0;

  constructor(qemu: FakeQemu, context: InstanceContext) {
    this.qemu = qemu;
    this.context = context;
    this.guest = qemu.definition.name;
    this.instanceId = `${qemu.pid}`;
    this.pid = qemu.pid;
    this.definition = qemu.definition;
    this.incoming = qemu.incoming;
    this.hub = new EventHub(context.logger);
    qemu.monitor = (event) => this.hear(event);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    const learn = () => {
      this.#knownToLive = false;
      this.hub.fail(this.gone());
      resolve();
    };
    qemu.onEnded = () => this.hearEnd(learn);
    if (!qemu.alive) learn();
  }

  protected hear(event: GuestEvent): void {
    this.deliver(0, () => this.hub.emit(event));
  }

  protected hearEnd(learn: () => void): void {
    this.deliver(1, learn);
  }

  /** Why no command can be carried out now; null when it can. */
  protected obstacle(): SojournError | null {
    return null;
  }

  isAlive(): boolean {
    return this.#knownToLive;
  }

  runState(): Promise<RunState> {
    return this.execute(() => this.qemu.runState);
  }

  async openStorage() {
    return { files: [], replacedDisks: [] };
  }

  waitForEvent(description: string, matches: (event: GuestEvent) => boolean, options: WaitOptions) {
    return this.hub.wait(description, matches, options);
  }

  onEvent(listener: (event: GuestEvent) => void): () => void {
    return this.hub.listen(listener);
  }

  events(signal: AbortSignal): AsyncIterable<GuestEvent> {
    return streamOf((listener) => this.onEvent(listener), signal);
  }

  stop(): Promise<void> {
    return this.execute(() => {
      if (this.qemu.stream !== null) this.qemu.stream.stop();
      else if (this.qemu.runState === "running") this.qemu.setRunState("paused");
    });
  }

  async cont(): Promise<void> {
    await this.execute(() => {
      if (this.qemu.runState === "inmigrate") throw this.refused("cont");
      this.qemu.setRunState("running");
    });
  }

  powerDown(): Promise<void> {
    return this.execute(() => {});
  }

  /** A frozen process obeys only the signal that follows after `graceMs`. */
  async quit(graceMs = 2_000): Promise<void> {
    const { process } = this.context;
    if (!process.alive) return await never;
    const qemu = this.qemu;
    if (!qemu.alive) return;
    qemu.after(1, () => qemu.command(() => qemu.end("told to quit")));
    this.deliver(graceMs, () => qemu.end("killed by its daemon"));
    await this.ended;
  }

  listenForMigration(
    _address?: string,
    _sourceHost?: string,
    wanted?: StreamFeatures,
  ): Promise<{ port: number; features?: StreamFeatures }> {
    return this.execute(() => {
      const port = 49_152 + this.qemu.pid;
      this.qemu.port = port;
      return { port, ...(wanted && { features: wanted }) };
    });
  }

  streamFeatures(wanted: StreamFeatures): Promise<StreamFeatures> {
    return this.execute(() => wanted);
  }

  prepareOutgoing({ features }: OutgoingPreparation): Promise<OutgoingReadiness> {
    return this.execute(() => {
      this.qemu.postCopy = features?.postCopy ?? false;
      return { heldUntilStopped: this.context.held };
    });
  }

  startPostCopy(): Promise<void> {
    return this.execute(() => this.qemu.stream?.startPostCopy?.());
  }

  pausePostCopy(): Promise<void> {
    const pause = () => {
      if (!this.qemu.stream?.following?.pause(this.qemu)) throw this.refused("migrate-pause");
    };
    return this.execute(pause, "out-of-band");
  }

  listenForRecovery(): Promise<{ port: number }> {
    const listen = () => {
      const port = this.qemu.stream?.following?.listen() ?? null;
      if (port === null) throw this.refused("migrate-recover");
      return { port };
    };
    return this.execute(listen, "out-of-band");
  }

  /** Resolves once pages follow again. */
  async resumePostCopy(_address: string, port: number): Promise<void> {
    const ends = ["postcopy-active", "postcopy-paused", "completed"];
    const decided = this.waitForEvent(
      "the end of the handshake",
      ({ name, data }) => name === "MIGRATION" && ends.includes(String(data.status)),
      { timeoutMs: 8_000 },
    );
    decided.catch(() => {});
    await this.execute(() => {
      if (!this.qemu.stream?.following?.resume(port)) throw this.refused("migrate");
    });
    if ((await decided).data.status === "postcopy-paused") throw this.refused("to go on");
  }

  setOutgoingParameters(parameters: Partial<OutgoingParameters>): Promise<void> {
    const { downtimeLimitMs, maxBandwidthBytesPerSecond: bandwidth } = parameters;
    return this.execute(() => {
      if (bandwidth !== undefined) this.qemu.stream?.rest(bandwidth > 0 && bandwidth < 4096);
      if ((downtimeLimitMs ?? 0) > 1_000) this.qemu.stream?.hurry();
    });
  }

  migrateTo(_address: string, port: number): Promise<void> {
    return this.execute(() => {
      const { links, random, held, processAt } = this.context;
      new Stream({ source: this.qemu, destination: processAt(port), links, random, held });
    });
  }

  migrationProgress(): Promise<MigrationProgress> {
    return this.execute(() => ({
      status: this.qemu.status,
      transferredBytes: this.qemu.stream?.transferredBytes() ?? 0,
      ...this.#figures(),
      totalBytes: 134_217_728,
      bandwidthMbps: 1000,
      dirtySyncCount: this.qemu.stream?.dirtySyncs ?? 0,
      throttlePercent: null,
      errorText: this.qemu.errorText,
    }));
  }

  /** A guest that is allowed to go by post-copy dirties more than the link takes. */
  #figures(): Pick<MigrationProgress, "remainingBytes" | "dirtyBytesPerSecond"> {
    const { postCopy, stream, runState } = this.qemu;
    if (stream?.following) {
      return { remainingBytes: stream.following.remainingBytes, dirtyBytesPerSecond: 0 };
    }
    const isBusy = postCopy && runState === "running" && (stream?.dirtySyncs ?? 0) > 0;
    return isBusy
      ? { remainingBytes: 120_000_000, dirtyBytesPerSecond: 1e9 }
      : { remainingBytes: 65_536, dirtyBytesPerSecond: 0 };
  }

  continueMigration(): Promise<void> {
    return this.execute(() => {
      if (this.qemu.status !== "pre-switchover") throw this.refused("migrate-continue");
      this.qemu.stream?.goOn();
    });
  }

  cancelMigration(): Promise<void> {
    return this.execute(() => this.qemu.stream?.cancel());
  }

  announceSelf(): Promise<void> {
    return this.execute(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.context.process.alive) return await never;
    this.qemu.monitor = null;
    this.hub.fail(this.gone());
  }

  /** One command: carried out whoever still listens, answered if its process lives and is not frozen. */
  protected execute<Result>(
    work: () => Result,
    how: "in-band" | "out-of-band" = "in-band",
  ): Promise<Result> {
    const { process, random } = this.context;
    if (!process.alive) return never;
    const qemu = this.qemu;
    if (!qemu.alive) return Promise.reject(this.obstacle() ?? this.gone());
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    let giveUp: Timer | null = null;
    const settle = (answer: () => void) => {
      giveUp?.cancel();
      if (!process.alive) return;
      // A monitor tells of what a command led to before it answers the command.
      this.deliver(0, answer);
    };
    const carryOut = () => {
      let result: Result;
      try {
        result = work();
      } catch (error) {
        settle(() => reject(error));
        return;
      }
      settle(() => resolve(result));
    };
    // A monitor carries out one command after the other.
    const { nowMs } = qemu.clock;
    this.#busyUntilMs = Math.max(this.#busyUntilMs, nowMs + random.between(0.05, 0.5)) + 0.05;
    qemu.clock.after(this.#busyUntilMs - nowMs, () => {
      const obstacle = this.obstacle() ?? (qemu.alive ? null : this.gone());
      if (obstacle !== null) {
        settle(() => reject(obstacle));
        return;
      }
      const waits = qemu.frozen || (qemu.hangs && how === "in-band");
      if (!waits) {
        carryOut();
        return;
      }
      giveUp = this.deliver(answerTimeoutMs, () =>
        reject(qemu.alive ? this.#timeout() : this.gone()),
      );
      if (how === "in-band") qemu.command(carryOut);
      else qemu.act(carryOut);
    });
    return promise;
  }

  protected deliver(delayMs: number, work: () => void): Timer {
    return this.qemu.clock.deliver(this.context.process, delayMs, work);
  }

  protected gone(): SojournError {
    return new SojournError("SOJ_HYPERVISOR_GONE", `${this.qemu.name} has ended`);
  }

  protected refused(command: string): SojournError {
    return new SojournError("SOJ_HYPERVISOR_REFUSED", `${this.qemu.name} refuses ${command}`);
  }

  #timeout(): SojournError {
    const options = { retryable: true };
    return new SojournError("SOJ_HYPERVISOR_TIMEOUT", `${this.qemu.name} is silent`, options);
  }
}
