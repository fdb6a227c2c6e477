import type { MigrationStatus } from "../../../src/hypervisor/hypervisor.ts";
import type { FakeLibvirtd, LibvirtSession } from "./fake-libvirtd.ts";
import type { FakeQemu } from "./fake-qemu.ts";
import { type Links, type Way, wayOf } from "./links.ts";
import type { Random } from "./random.ts";
import type { GuestStream } from "./stream.ts";

export interface SealedStreamOptions {
  source: FakeQemu;
  destination: FakeQemu | null;
  /** Of the source's daemon, which has begun it. */
  session: LibvirtSession;
  /** The source's. */
  libvirtd: FakeLibvirtd;
  links: Links;
  random: Random;
}

/** The fastest that the link takes, and the slowest that libvirt knows. */
const [linkBytesPerSecond, leastBytesPerSecond] = [125e6, 2 ** 20];

/** Between two looks at a stream that does not move, and how long until its connection is reset (ms). */
const [lookMs, resetAfterMs] = [50, 15_000];

/** Between two questions of a driver that has lost its connection (ms). */
const lookAgainMs = 200;

/**
 * A migration between two domains, as libvirt 9 carries it out (src/hypervisor/libvirt/FACTS.md): nothing holds it before
 * the switchover, QEMU stops the guest by itself when hardly anything is left, and the source runs again by itself in
 * every failure, its libvirtd's restart included, until libvirt has heard that all has arrived; never after that.
 */
export class SealedStream implements GuestStream {
  dirtySyncs = 0;
  readonly #source: FakeQemu;
  readonly #destination: FakeQemu | null;
  readonly #session: LibvirtSession;
  readonly #libvirtd: FakeLibvirtd;
  readonly #life: number;
  readonly #links: Links;
  readonly #way: Way;
  readonly #random: Random;
  /** The guest ran when its migration began. */
  readonly #ran: boolean;
  /** What the guest dirties in a pass; less and less. */
  #dirtied: number;
  #left: number;
  #moved = 0;
  #lookedMs: number;
  #stoodMs = 0;
  /** Of what is planned: a pace that changes makes it void. */
  #turn = 0;
  #job: "runs" | "has-arrived" | "over" = "runs";
  #isSwitching = false;
  #told: MigrationStatus = "setup";
  #loaded = false;
  #closed = false;
  #arrivedMs = 0;

  constructor(options: SealedStreamOptions) {
    const { source, destination, session, libvirtd, links, random } = options;
    this.#source = source;
    this.#destination = destination;
    this.#session = session;
    this.#libvirtd = libvirtd;
    this.#life = libvirtd.life;
    this.#links = links;
    this.#way = wayOf(source, destination);
    this.#random = random;
    this.#ran = source.runState === "running";
    this.#left = random.between(2, 40) * 2 ** 20;
    const mostDirtied = random.pick([0, 0, 4_096, 65_536, 2 ** 20, 12 * 2 ** 20]);
    this.#dirtied = random.between(0, mostDirtied);
    this.#lookedMs = source.clock.nowMs;
    source.stream = this;
    source.emit("MIGRATION", { status: "setup" });
    session.onClosed(() => this.#lose());
    this.#send(() => this.#connect());
  }

  /** libvirt carries it out still. */
  get isUnderWay(): boolean {
    return this.#job === "runs";
  }

  get remainingBytes(): number {
    this.#advance();
    return Math.round(this.#left);
  }

  isOf(source: FakeQemu): boolean {
    return source === this.#source;
  }

  /** As the driver of a daemon knows it: only the one that has begun it hears how it ended. */
  statusFor(session: LibvirtSession | null): MigrationStatus {
    if (session === this.#session) return this.#told;
    return this.#job === "runs" ? "active" : "none";
  }

  transferredBytes(): number {
    this.#advance();
    return Math.round(this.#moved);
  }

  rest(): void {}

  goOn(): void {}

  paceChanged(): void {
    this.#advance();
    this.#plan();
  }

  stop(): void {
    if (this.#source.runState !== "running") return;
    this.#advance();
    this.#source.setRunState("postmigrate");
    if (this.#job === "runs") this.#source.note("stopped");
    this.#plan();
  }

  hurry(): void {
    this.#source.after(this.#random.between(1, 100), () => this.#stopByItself());
  }

  /** One that has just arrived may be too fast for it. */
  cancel(): void {
    if (this.#job !== "runs" || this.#told === "cancelling") return;
    this.#tell("cancelling");
    const delayMs = this.#random.between(1, 60);
    this.#byLibvirt(delayMs, () => {
      if (this.#job === "runs") this.#fail("cancelled");
    });
  }

  /** Confirm3: what has arrived is not wanted. */
  takeBack(session: LibvirtSession): void {
    if (this.#job !== "has-arrived" || session !== this.#session) return;
    this.#job = "over";
    if (this.#ran && session.isOpen) this.#source.setRunState("running");
    this.#tell("cancelled");
  }

  reset(end: "source" | "destination"): void {
    if (end === "source") this.#source.act(() => this.#break());
    else this.#destination?.act(() => this.#end());
  }

  processEnded(process: FakeQemu): void {
    if (process === this.#source) this.#close();
    else this.#answer(() => this.#break());
  }

  /** Whatever was under way is taken back; what had been told to have arrived stays as it is. */
  libvirtdStarted(process: FakeQemu): void {
    if (process !== this.#source || this.#job !== "runs") return;
    process.act(() => {
      this.#job = "over";
      if (this.#ran) process.setRunState("running");
      this.#close();
    });
  }

  #connect(): void {
    const destination = this.#destination;
    const listens = destination?.alive && destination.port !== null && destination.stream === null;
    if (!listens) {
      this.#answer(() => this.#break());
      return;
    }
    destination.stream = this;
    destination.act(() => destination.setStatus("active"));
    this.#answer(() => {
      if (this.#job !== "runs") return;
      this.dirtySyncs = 1;
      this.#lookedMs = this.#source.clock.nowMs;
      if (this.#told === "setup") this.#tell("active");
      if (this.#random.chance(0.25)) {
        // The rest of memory is empty pages, which go by in no time.
        this.#source.after(this.#random.between(5, 200), () => this.#skip());
      }
      this.#plan();
    });
  }

  get #rate(): number {
    const limit = this.#source.bandwidth;
    if (limit === 0) return linkBytesPerSecond;
    return Math.min(linkBytesPerSecond, Math.ceil(limit / 2 ** 20) * leastBytesPerSecond);
  }

  get #moves(): boolean {
    const isRead = this.#destination?.alive === true && !this.#destination.frozen;
    return isRead && !this.#source.frozen && this.#links.isUp("data", this.#way);
  }

  #advance(): void {
    const { nowMs } = this.#source.clock;
    const elapsedMs = nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    if (this.dirtySyncs === 0 || this.#isSwitching || this.#job !== "runs") return;
    if (!this.#moves) {
      this.#stoodMs += elapsedMs;
      return;
    }
    this.#stoodMs = 0;
    const bytes = Math.min(this.#left, (elapsedMs * this.#rate) / 1000);
    this.#left -= bytes;
    this.#moved += bytes;
  }

  /** The end of this pass, at the present pace. */
  #plan(): void {
    this.#turn += 1;
    const turn = this.#turn;
    if (this.dirtySyncs === 0 || this.#isSwitching || this.#job !== "runs") return;
    const dueMs = this.#moves ? Math.max(1, (this.#left / this.#rate) * 1000) : lookMs;
    this.#source.after(dueMs, () => {
      if (turn !== this.#turn || this.#job !== "runs") return;
      this.#advance();
      if (this.#stoodMs > resetAfterMs) return this.#break();
      if (this.#left > 0) return this.#plan();
      if (this.#source.runState === "running") this.#endPass();
      else this.#switchOver();
    });
  }

  #skip(): void {
    if (this.dirtySyncs !== 1) return;
    this.#advance();
    this.#left = Math.min(this.#left, 4_096);
    this.#plan();
  }

  #endPass(): void {
    this.dirtySyncs += 1;
    this.#source.emit("MIGRATION_PASS", { pass: this.dirtySyncs });
    this.#left = this.#dirtied;
    this.#dirtied *= this.#random.between(0.5, 1);
    // Downtime limit 1 ms: of what goes out in that time QEMU does not make another pass.
    const isLittle = this.#left <= this.#rate / 1000 || this.dirtySyncs > 60;
    if (isLittle) this.#source.after(this.#random.between(0, 4), () => this.#stopByItself());
    this.#plan();
  }

  #stopByItself(): void {
    if (this.#job !== "runs" || this.#isSwitching) return;
    this.stop();
  }

  /** libvirt lets QEMU go on at its `pre-switchover` at once, if it is there. */
  #switchOver(): void {
    this.#isSwitching = true;
    this.#byLibvirt(this.#random.between(0.3, 1), () => {
      if (this.#job !== "runs") return;
      if (this.#told === "active") this.#tell("device");
      const { run } = this.#source;
      const destination = this.#destination;
      this.#send(() => {
        if (destination === null || !destination.alive || this.#closed) {
          this.#answer(() => this.#break());
          return;
        }
        destination.act(() => {
          if (!this.#closed) this.#load(destination, run);
        });
      });
    });
  }

  /** The destination's daemon lets libvirt finish at once (Finish3): then the guest may be run there. */
  #load(destination: FakeQemu, run: number): void {
    this.#loaded = true;
    destination.run = run;
    const session = destination.preparedBy;
    if (session?.isOpen) {
      destination.clock.deliver(session.process, this.#random.between(0.3, 8), () => {
        if (!session.isOpen) return;
        destination.act(() => {
          if (!session.isOpen || destination.preparedBy !== session) return;
          destination.preparedBy = null;
          destination.setRunState(destination.startsPaused || !this.#ran ? "paused" : "running");
          destination.setStatus("completed");
          destination.note("loaded");
        });
      });
    }
    this.#answer(() => this.#byLibvirt(this.#random.between(0.2, 5), () => this.#arrived()));
  }

  #arrived(): void {
    if (this.#job !== "runs") return;
    if (this.#told === "cancelling" && this.#random.chance(0.5)) return;
    this.#job = "has-arrived";
    this.#source.note("arrived");
    this.#source.setRunState("postmigrate");
    const session = this.#session;
    this.#source.clock.deliver(session.process, this.#random.between(0.1, 3), () => {
      if (session.isOpen && this.#job === "has-arrived") this.#tell("pre-switchover");
    });
  }

  /** The daemon that has begun it learns only that it is over, once libvirt is there again: then it has failed. */
  #lose(): void {
    if (["failed", "cancelled", "pre-switchover"].includes(this.#told)) return;
    const look = () => {
      if (this.#job === "runs" || !this.#libvirtd.isUp) this.#loseLater(look);
      else this.#tell("failed");
    };
    this.#loseLater(look);
  }

  #loseLater(look: () => void): void {
    const { process } = this.#session;
    if (process.alive && this.#source.alive) this.#source.clock.deliver(process, lookAgainMs, look);
  }

  /** The source's end of the connection is closed: a destination that has not everything gives up. */
  #close(): void {
    this.#send(() => this.#destination?.act(() => this.#end()));
  }

  #end(): void {
    const destination = this.#destination;
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#loaded && destination?.stream === this) destination.end("its stream ended early");
  }

  /** QEMU reports failure; libvirt runs the guest again before it says so. */
  #break(): void {
    if (this.#job !== "runs") return;
    this.#turn += 1;
    this.#byLibvirt(this.#random.between(1, 6), () => {
      if (this.#job === "runs") this.#fail("failed");
    });
  }

  #fail(status: "failed" | "cancelled"): void {
    this.#job = "over";
    if (this.#ran) this.#source.setRunState("running");
    this.#tell(status);
    this.#source.protectedBy?.close();
    this.#close();
  }

  /** What only the libvirtd that has begun the job does: one that was restarted takes the job back. */
  #byLibvirt(delayMs: number, work: () => void): void {
    this.#source.after(delayMs, () => {
      if (this.#libvirtd.isUp && this.#libvirtd.life === this.#life) work();
    });
  }

  #tell(status: MigrationStatus): void {
    if (!this.#session.process.alive) return;
    this.#told = status;
    this.#source.emit("MIGRATION", { status });
  }

  /** To the destination, in order. */
  #send(arrive: () => void): void {
    const now = this.#source.clock.nowMs;
    this.#arrivedMs = Math.max(this.#arrivedMs, now) + this.#random.between(0.1, 3);
    this.#links.stream(this.#way, this.#arrivedMs - now, arrive, () => {
      this.#source.act(() => this.#break());
      this.#destination?.act(() => this.#end());
    });
  }

  /** Back to the source. */
  #answer(arrive: () => void): void {
    const { from: to, to: from } = this.#way;
    this.#links.stream(
      { from, to },
      this.#random.between(0.1, 2),
      () =>
        this.#source.act(() => {
          if (this.#source.stream === this) arrive();
        }),
      () => this.#source.act(() => this.#break()),
    );
  }
}
