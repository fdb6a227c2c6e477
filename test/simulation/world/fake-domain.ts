import type {
  GuestEvent,
  MigrationProgress,
  OutgoingParameters,
  OutgoingReadiness,
  StreamAnswer,
  StreamOffer,
} from "../../../src/hypervisor/hypervisor.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { never } from "./daemon-process.ts";
import { FakeInstance, type InstanceContext } from "./fake-instance.ts";
import type { FakeLibvirtd, LibvirtSession } from "./fake-libvirtd.ts";
import type { FakeQemu } from "./fake-qemu.ts";
import { SealedStream } from "./sealed-stream.ts";

/** How long libvirt takes to end a source that has handed its guest over (ms). */
const [confirmLeastMs, confirmMostMs] = [1_200, 2_000];

/** The same process as a domain of libvirt's: streams go to their end by themselves. */
export class FakeDomain extends FakeInstance {
  readonly sealsStream = true;
  readonly #libvirtd: FakeLibvirtd;
  #session: LibvirtSession | null = null;

  constructor(qemu: FakeQemu, context: InstanceContext & { libvirtd: FakeLibvirtd }) {
    super(qemu, context);
    this.#libvirtd = context.libvirtd;
  }

  isProcessGone(): boolean {
    return !this.qemu.alive;
  }

  /** Begin3: until the stream has ended nobody else changes the guest. */
  offerStream(): Promise<StreamOffer> {
    return this.execute(() => {
      if (this.#outgoing()?.isUnderWay) throw this.refused("a second migration");
      this.#closeSession();
      this.#session = this.#libvirtd.connect(this.context.process);
      this.qemu.protectedBy = this.#session;
      return { description: this.guest, cookie: "begin" };
    });
  }

  override listenForMigration(): Promise<{ port: number; answer: StreamAnswer }> {
    return this.execute(() => {
      const port = 49_152 + this.qemu.pid;
      this.qemu.port = port;
      return { port, answer: { cookie: `prepare ${port}` } };
    });
  }

  override prepareOutgoing(): Promise<OutgoingReadiness> {
    return this.execute(() => ({ heldUntilStopped: false }));
  }

  override setOutgoingParameters(parameters: Partial<OutgoingParameters>): Promise<void> {
    const { downtimeLimitMs, maxBandwidthBytesPerSecond: bandwidth } = parameters;
    return this.execute(() => {
      if (bandwidth !== undefined) this.qemu.bandwidth = bandwidth;
      this.#outgoing()?.paceChanged();
      if ((downtimeLimitMs ?? 0) > 1_000) this.#outgoing()?.hurry();
    });
  }

  override migrateTo(
    _address: string,
    port: number,
    _destinationHost?: string,
    answer?: StreamAnswer,
  ): Promise<void> {
    return this.execute(() => {
      const session = this.#session;
      if (!session?.isOpen) throw this.#disconnected();
      if (answer?.cookie !== `prepare ${port}`) throw this.refused("an answer of another process");
      const { links, random, processAt } = this.context;
      const libvirtd = this.#libvirtd;
      const ends = { source: this.qemu, destination: processAt(port) };
      new SealedStream({ ...ends, session, libvirtd, links, random });
    });
  }

  override async migrationProgress(): Promise<MigrationProgress> {
    const progress = await super.migrationProgress();
    const stream = this.#outgoing();
    if (stream === null) return { ...progress, status: this.incoming ? progress.status : "none" };
    const { remainingBytes } = stream;
    return { ...progress, remainingBytes, status: stream.statusFor(this.#session) };
  }

  override async continueMigration(): Promise<void> {
    throw new Error("a stream that goes to its end by itself is told to go on");
  }

  /** AbortJob, or Confirm3 with `cancelled` once it has arrived. */
  override cancelMigration(): Promise<void> {
    return this.execute(() => {
      const stream = this.#outgoing();
      if (stream?.isUnderWay) stream.cancel();
      else if (this.#session !== null) stream?.takeBack(this.#session);
      if (!stream?.isUnderWay) this.#closeSession();
    });
  }

  override stop(): Promise<void> {
    return this.execute(() => {
      const stream = this.#outgoing();
      if (stream !== null) stream.stop();
      else if (this.qemu.runState === "running") this.qemu.setRunState("paused");
    });
  }

  override cont(): Promise<void> {
    return this.execute(() => {
      if (this.qemu.runState === "inmigrate") throw this.refused("virDomainResume");
      const stream = this.#outgoing();
      if (this.qemu.runState !== "running" && stream?.isUnderWay) {
        throw this.refused("virDomainResume during a job");
      }
      this.qemu.setRunState("running");
      if (this.#session !== null) stream?.takeBack(this.#session);
      this.#closeSession();
    });
  }

  /** Confirm3 where everything has arrived, virDomainDestroy otherwise. */
  override async quit(): Promise<void> {
    const { process, random } = this.context;
    if (!process.alive) return await never;
    const obstacle = this.obstacle();
    if (obstacle !== null) throw obstacle;
    const hasArrived = this.#outgoing()?.statusFor(this.#session) === "pre-switchover";
    const delayMs = hasArrived ? random.between(confirmLeastMs, confirmMostMs) : 1;
    const { qemu } = this;
    const { life } = this.#libvirtd;
    const failed = Promise.withResolvers<never>();
    qemu.clock.after(delayMs, () => {
      if (this.#libvirtd.isUp && this.#libvirtd.life === life) qemu.end("told to quit");
      else this.deliver(0, () => failed.reject(this.#disconnected()));
    });
    await Promise.race([this.ended, failed.promise]);
  }

  protected override hear(event: GuestEvent): void {
    // Made by the driver, which need not ask libvirt.
    if (event.name === "MIGRATION" || this.#libvirtd.isUp) super.hear(event);
    else this.#libvirtd.whenUp(() => this.#hearLate(event));
  }

  protected override hearEnd(learn: () => void): void {
    this.#libvirtd.whenUp(() => super.hearEnd(learn));
  }

  protected override obstacle(): SojournError | null {
    return this.#libvirtd.isUp ? null : this.#disconnected();
  }

  /** Who was not told asks what has become of it. */
  #hearLate(event: GuestEvent): void {
    const isRunning = this.qemu.runState === "running";
    if (event.name === "RESUME" ? isRunning : event.name === "STOP" && !isRunning)
      super.hear(event);
  }

  #outgoing(): SealedStream | null {
    const { stream } = this.qemu;
    return stream instanceof SealedStream && stream.isOf(this.qemu) ? stream : null;
  }

  #closeSession(): void {
    this.#session?.close();
    this.#session = null;
  }

  #disconnected(): SojournError {
    const options = { retryable: true };
    return new SojournError("SOJ_HYPERVISOR_DISCONNECTED", "libvirt does not answer", options);
  }
}
