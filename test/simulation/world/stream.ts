import type { RunState } from "../../../src/hypervisor/hypervisor.ts";
import type { FakeQemu } from "./fake-qemu.ts";
import { FollowingPages } from "./following-pages.ts";
import { type Links, type Way, wayOf } from "./links.ts";
import type { Random } from "./random.ts";

export interface StreamOptions {
  source: FakeQemu;
  destination: FakeQemu | null;
  links: Links;
  random: Random;
  /** QEMU waits for somebody to stop the guest (`heldUntilStopped`). */
  held: boolean;
}

/** What a migration between two processes is to them, and to whoever holds their monitors. */
export interface GuestStream {
  readonly dirtySyncs: number;
  transferredBytes(): number;
  /** Hardly anything goes out, and no pass ends. */
  rest(rests: boolean): void;
  /** Somebody stops the guest. */
  stop(): void;
  /** The downtime limit was raised. */
  hurry(): void;
  /** `migrate-continue`. */
  goOn(): void;
  cancel(): void;
  /** The connection is reset under one of the two. */
  reset(end: "source" | "destination"): void;
  /** One of the two processes has ended. */
  processEnded(process: FakeQemu): void;
  /** `migrate-start-postcopy`. */
  startPostCopy?(): void;
  /** Once its guest is handed over by post-copy. */
  readonly following?: FollowingPages | null;
  /** Neither side can go on alone, or will be able to in a moment. */
  readonly isSplit?: boolean;
  /** The libvirtd of one of the two is there again. */
  libvirtdStarted?(process: FakeQemu): void;
}

const underWay = ["setup", "active", "pre-switchover", "device"];

/** A rate limiter's window (ms): what it grants goes out in one burst. */
const windowMs = 100;

/**
 * A migration between two hypervisor processes, as QEMU behaves with `return-path` and `pause-before-switchover`
 * (observed, QEMU 7.2 and 10.0): nothing times out by itself before the switchover; a stream that breaks makes the
 * source as it was before QEMU stopped it, so it runs again by itself unless somebody else had stopped it first.
 */
export class Stream implements GuestStream {
  dirtySyncs = 0;
  #rests = false;
  #lastPass = 8;
  readonly #source: FakeQemu;
  readonly #destination: FakeQemu | null;
  readonly #links: Links;
  readonly #random: Random;
  readonly #held: boolean;
  readonly #way: Way;
  /** What the source goes back to when the stream breaks. */
  #before: RunState;
  /** The guest ran when its migration began. */
  readonly #ran: boolean;
  #loaded = false;
  #closed = false;
  #arrivedMs = 0;
  #movedMs = 0;
  #lookedMs: number;
  #isLimitHigh = false;
  #isPostCopy = false;
  following: FollowingPages | null = null;

  constructor(options: StreamOptions) {
    this.#source = options.source;
    this.#destination = options.destination;
    this.#links = options.links;
    this.#way = wayOf(options.source, options.destination);
    this.#random = options.random;
    this.#held = options.held;
    this.#before = options.source.runState;
    this.#ran = this.#before === "running";
    this.#lookedMs = this.#source.clock.nowMs;
    this.#source.stream = this;
    this.#source.errorText = null;
    this.#source.setStatus("setup");
    this.#send(() => this.#connect());
  }

  get isSplit(): boolean {
    return this.#isPostCopy && (this.following?.isSplit ?? true);
  }

  /** Moves on as long as anything goes out; in bursts while the bandwidth is held down. */
  transferredBytes(): number {
    if (this.following !== null) return this.following.transferredBytes;
    const { nowMs } = this.#source.clock;
    const moves = this.#links.isUp("data", this.#way) && !this.#destination?.frozen;
    const { status } = this.#source;
    if (moves && !this.#loaded && (status === "active" || status === "device")) {
      this.#movedMs += nowMs - this.#lookedMs;
    }
    this.#lookedMs = nowMs;
    const unit = this.#held ? 1 : windowMs;
    return (1 + Math.floor(this.#movedMs / unit)) * unit * 4096;
  }

  /** Hardly anything goes out, and no pass ends. */
  rest(rests: boolean): void {
    if (this.#rests === rests) return;
    this.#rests = rests;
    if (rests) return;
    this.#lastPass = this.dirtySyncs + 8;
    if (this.#source.status === "active" && this.#source.runState === "running") this.#nextPass();
  }

  /** Somebody stops the guest. */
  stop(): void {
    if (this.#source.runState !== "running") return;
    this.#source.setRunState("paused");
    if (this.#source.status !== "active") return;
    this.#before = "paused";
    if (this.#isLimitHigh || this.#source.postCopy === false) this.#sendRest();
  }

  /** The guest was stopped: its devices go, and then it is handed over. Where next to nothing is left, all of it goes. */
  startPostCopy(): void {
    this.#isPostCopy = this.#random.chance(0.95);
    if (!this.#isPostCopy) {
      this.#sendRest();
      return;
    }
    this.#source.after(this.#random.between(0, 10), () => {
      if (this.#source.status !== "active") return;
      this.#source.setRunState("finish-migrate");
      this.#source.setStatus("pre-switchover");
    });
  }

  /** The downtime limit was raised: a guest that runs is stopped by QEMU itself. */
  hurry(): void {
    this.#isLimitHigh = true;
    if (this.#held) return;
    this.#source.after(this.#random.between(1, 100), () => {
      if (this.#source.status === "active" && this.#source.runState === "running") {
        this.#stopByItself();
      }
    });
  }

  /** `migrate-continue`: the devices' state goes, and with it the guest. */
  goOn(): void {
    this.#source.setStatus("device");
    const { run } = this.#source;
    const destination = this.#destination;
    if (this.#isPostCopy) {
      this.following = new FollowingPages({
        ...{ source: this.#source, destination, links: this.#links },
        ...{ way: this.#way, random: this.#random },
      });
      this.following.begin();
      return;
    }
    this.#send(() => {
      if (destination === null || !destination.alive || this.#closed) {
        this.#answer(() => this.#break());
        return;
      }
      destination.act(() => {
        if (!this.#closed) this.#load(destination, run);
      });
    });
  }

  #load(destination: FakeQemu, run: number): void {
    this.#loaded = true;
    destination.run = run;
    const runs = !destination.startsPaused && this.#ran;
    destination.setRunState(runs ? "running" : "paused");
    destination.setStatus("completed");
    this.#answer(() => {
      if (this.#source.status !== "device") return;
      this.#source.setRunState("postmigrate");
      this.#source.setStatus("completed");
    });
  }

  cancel(): void {
    if (!underWay.includes(this.#source.status)) return;
    this.#source.setStatus("cancelling");
    this.#source.after(1, () => {
      this.#giveBack();
      this.#source.setStatus("cancelled");
      this.#close();
    });
  }

  /** The connection is reset under one of the two. */
  reset(end: "source" | "destination"): void {
    if (this.following !== null) this.following.reset(end);
    else if (end === "source") this.#source.act(() => this.#break());
    else {
      // What had arrived and was not read yet is gone.
      const destination = this.#destination;
      if (destination?.frozen) this.#closed = true;
      destination?.act(() => {
        this.#closed = false;
        this.#end();
      });
    }
  }

  /** One of the two processes has ended. */
  processEnded(process: FakeQemu): void {
    if (this.following !== null) this.following.processEnded(process);
    else if (process === this.#source) this.#close();
    else {
      this.#answer(() => {
        if (this.#source.status !== "pre-switchover") this.#break();
        // Nothing is sent, and nothing is told; whoever asks is answered.
        else this.#source.errorText = "Channel error: Input/output error";
      });
    }
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
      if (this.#source.status !== "setup") return;
      this.#source.setStatus("active");
      this.dirtySyncs = 1;
      if (this.#source.runState === "running") this.#nextPass();
      else this.#sendRest();
    });
  }

  #nextPass(): void {
    this.#source.after(this.#random.between(10, 60), () => {
      if (this.#source.status !== "active" || this.#source.runState !== "running") return;
      if (this.#rests) return;
      if (!this.#links.isUp("data", this.#way) || this.#destination?.frozen) {
        if (this.#closed) return;
        this.#nextPass();
        return;
      }
      this.dirtySyncs += 1;
      this.#source.emit("MIGRATION_PASS", { pass: this.dirtySyncs });
      const stops = !this.#held && !this.#source.postCopy;
      if (stops && this.#random.chance(0.15)) this.#stopByItself();
      else if (this.dirtySyncs < this.#lastPass) this.#nextPass();
    });
  }

  /** Nothing was left to send, whatever the limit: QEMU stops the guest. */
  #stopByItself(): void {
    this.#before = "running";
    this.#source.setRunState("finish-migrate");
    this.#sendRest();
  }

  #sendRest(): void {
    this.#send(() => {
      this.#answer(() => {
        if (this.#source.status !== "active") return;
        this.#source.setRunState("finish-migrate");
        this.#source.setStatus("pre-switchover");
      });
    });
  }

  /** The source's end of the connection is closed: a destination that has not everything gives up. */
  #close(): void {
    this.#send(() => this.#cut());
  }

  /** What had arrived before is read first. */
  #cut(): void {
    this.#destination?.act(() => this.#end());
  }

  #end(): void {
    const destination = this.#destination;
    if (this.#closed || this.following !== null) return;
    this.#closed = true;
    if (!this.#loaded && destination?.stream === this) destination.end("its stream ended early");
  }

  #break(): void {
    if (this.following !== null) return;
    if (this.#source.stream !== this || !underWay.includes(this.#source.status)) return;
    this.#giveBack();
    this.#source.setStatus("failed");
    this.#close();
  }

  #giveBack(): void {
    const { runState, status } = this.#source;
    if (status === "device" && this.#before === "paused") this.#source.setRunState("postmigrate");
    else if (runState === "finish-migrate") this.#source.setRunState(this.#before);
  }

  /** To the destination, in order. */
  #send(arrive: () => void): void {
    this.#links.stream(this.#way, this.#delayMs(), arrive, () => {
      this.#source.act(() => this.#break());
      this.#cut();
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

  /** Nothing overtakes what was sent before. */
  #delayMs(): number {
    const now = this.#source.clock.nowMs;
    this.#arrivedMs = Math.max(this.#arrivedMs, now) + this.#random.between(0.1, 3);
    return this.#arrivedMs - now;
  }
}
