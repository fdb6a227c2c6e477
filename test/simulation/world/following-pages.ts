import type { FakeQemu } from "./fake-qemu.ts";
import type { Links, Way } from "./links.ts";
import type { Random } from "./random.ts";

/** What is left of the guest's memory when it is handed over. */
const pages = 12;

/** What was on its way when a connection broke is sent again. */
const resentPages = 2;

const pageBytes = 65_536;

type Side = "source" | "destination";

export interface HandoverOptions {
  source: FakeQemu;
  destination: FakeQemu | null;
  links: Links;
  way: Way;
  random: Random;
}

/**
 * The part of a stream in which the guest runs, or is about to, at its destination, and its pages follow, as QEMU 10.0 does it:
 * a break before the destination can run the guest is the end of it, and so is one after the last page has left; any other
 * one can be mended. The source can never run its copy again, and does not notice a link that is only silent.
 */
export class FollowingPages {
  readonly #source: FakeQemu;
  readonly #destination: FakeQemu | null;
  readonly #links: Links;
  readonly #way: Way;
  readonly #random: Random;
  #left = pages;
  #isLoaded = false;
  #isOver = false;
  /** The connection that counts, and whose ends are still open. */
  #connection = 0;
  readonly #open = new Set<Side>(["source", "destination"]);
  #recoveryPort = 0;
  /** The destination was gone when the guest was handed over, or the connection broke with nothing left to send again. */
  isBeyondHelp = false;
  readonly #arrivedMs = { source: 0, destination: 0 };

  constructor(options: HandoverOptions) {
    this.#source = options.source;
    this.#destination = options.destination;
    this.#links = options.links;
    this.#way = options.way;
    this.#random = options.random;
  }

  /** Neither process has all of the guest. */
  get isSplit(): boolean {
    return !this.#isOver;
  }

  /** A connection that breaks now cannot be replaced: nothing is loaded yet, or the last page has left. */
  get isFragile(): boolean {
    return !this.#isOver && (this.#left === 0 || !this.#isLoaded);
  }

  get remainingBytes(): number {
    return this.#left * pageBytes;
  }

  get transferredBytes(): number {
    return (2 * pages - this.#left) * pageBytes;
  }

  /** `migrate-continue`. */
  begin(): void {
    const destination = this.#destination;
    if (!destination?.alive) {
      // The source stays `device` for ever, and nobody can run it: its own fault where it was told before.
      this.isBeyondHelp = this.#source.errorText === null;
      return;
    }
    this.#source.after(this.#random.between(0, 0.5), () => {
      this.#source.setStatus("postcopy-active");
      this.#source.note("handed-over");
      const { run } = this.#source;
      this.#send("destination", () => this.#load(destination, run));
      this.#sendPages(this.#connection);
    });
  }

  /** `migrate-pause`; false where there is nothing to pause. */
  pause(process: FakeQemu): boolean {
    if (!["postcopy-active", "postcopy-recover"].includes(process.status)) return false;
    this.#break(this.#sideOf(process));
    return true;
  }

  /** `migrate-recover`; null where the destination does not wait for it. */
  listen(): number | null {
    if (this.#destination?.status !== "postcopy-paused") return null;
    this.#recoveryPort += 1;
    return this.#recoveryPort;
  }

  /** `migrate` with `resume`; false where the source is not paused. */
  resume(port: number): boolean {
    const destination = this.#destination;
    if (this.#source.status !== "postcopy-paused" || destination === null) return false;
    this.#source.setStatus("postcopy-recover-setup");
    const refuse = () => this.#source.act(() => this.#source.setStatus("postcopy-paused"));
    const connect = () => {
      const listens = destination.alive && port === this.#recoveryPort;
      if (!listens || destination.status !== "postcopy-paused")
        return void this.#links.stream(this.#back, 1, refuse, refuse);
      destination.act(() => {
        destination.setStatus("postcopy-recover");
        this.#connection += 1;
        this.#open.add("source").add("destination");
        const connection = this.#connection;
        this.#send("source", () => {
          if (connection === this.#connection) this.#reconnected(destination);
        });
      });
    };
    this.#links.stream(this.#way, this.#random.between(0.1, 2), connect, refuse);
    return true;
  }

  reset(side: Side): void {
    const process = side === "source" ? this.#source : this.#destination;
    process?.act(() => this.#break(side));
  }

  processEnded(process: FakeQemu): void {
    const side = this.#sideOf(process);
    // Of a host that is gone, who only waits for it does not hear.
    if (side === "source" && this.#random.chance(0.3)) return;
    this.#tellOther(side);
  }

  get #back(): Way {
    return { from: this.#way.to, to: this.#way.from };
  }

  #sideOf(process: FakeQemu): Side {
    return process === this.#source ? "source" : "destination";
  }

  #reconnected(destination: FakeQemu): void {
    this.#source.setStatus("postcopy-recover");
    this.#source.setStatus("postcopy-active");
    this.#left = Math.min(pages, this.#left + resentPages);
    this.#send("destination", () => {
      if (destination.status !== "postcopy-recover") return;
      destination.setStatus("postcopy-active");
      destination.goOn();
    });
    this.#sendPages(this.#connection);
  }

  #load(destination: FakeQemu, run: number): void {
    if (!this.#open.has("destination")) return;
    destination.setStatus("postcopy-active");
    destination.after(this.#random.between(0, 3), () => {
      if (destination.status !== "postcopy-active") return;
      this.#isLoaded = true;
      destination.run = run;
      destination.setRunState(destination.startsPaused ? "paused" : "running");
      destination.note("runnable");
    });
  }

  #sendPages(connection: number): void {
    this.#source.after(this.#random.between(1, 12), () => {
      const goesOn = () => connection === this.#connection && this.#open.has("source");
      if (!goesOn()) return;
      const waitMs = this.#links.downUntil("data", this.#way) - this.#source.clock.nowMs;
      if (waitMs > 0) {
        this.#source.after(waitMs, () => this.#sendPages(connection));
        return;
      }
      this.#destination?.act(() => {
        if (!goesOn()) return;
        this.#left -= 1;
        if (this.#left > 0) return this.#sendPages(connection);
        this.#source.note("last-page");
        this.#send("destination", () => this.#end());
      });
    });
  }

  #end(): void {
    const destination = this.#destination;
    if (destination?.status !== "postcopy-active" || !this.#open.has("destination")) return;
    if (!this.#isLoaded) {
      destination.after(1, () => this.#end());
      return;
    }
    this.#isOver = true;
    destination.goOn();
    destination.setStatus("completed");
    this.#send("source", () => {
      if (this.#source.status !== "postcopy-active") return;
      this.#source.setRunState("postmigrate");
      this.#source.setStatus("completed");
    });
  }

  /** One end of the connection is closed, and with it the other once that hears of it. */
  #break(side: Side): void {
    if (!this.#open.delete(side)) return;
    if (side === "source") this.#breakSource();
    else this.#breakDestination();
    this.#tellOther(side);
  }

  #breakSource(): void {
    if (!["postcopy-active", "postcopy-recover"].includes(this.#source.status)) return;
    const isMendable = this.#left > 0;
    this.isBeyondHelp ||= !isMendable;
    if (!isMendable) this.#source.setRunState("paused");
    this.#source.setStatus(isMendable ? "postcopy-paused" : "failed");
  }

  #breakDestination(): void {
    const destination = this.#destination;
    if (this.#isOver || !destination?.alive) return;
    if (!this.#isLoaded) {
      destination.setStatus("failed");
      if (this.#random.chance(0.8)) destination.end("its stream ended early");
      return;
    }
    destination.setStatus("postcopy-paused");
    // Its devices may touch a missing page as well as its processors.
    if (this.#random.chance(0.5)) {
      destination.after(this.#random.between(0, 300), () => {
        const lacks = destination.status === "postcopy-paused";
        if (lacks && destination.runState === "running") destination.hang();
      });
    }
  }

  #tellOther(side: Side): void {
    const other = side === "source" ? "destination" : "source";
    this.#send(other, () => this.#break(other));
  }

  /** In order, and for as long as it takes: TCP goes on for a quarter of an hour. */
  #send(to: Side, arrive: () => void): void {
    const connection = this.#connection;
    const process = to === "source" ? this.#source : this.#destination;
    const { clock } = this.#source;
    const way = to === "source" ? this.#back : this.#way;
    this.#arrivedMs[to] = Math.max(this.#arrivedMs[to], clock.nowMs) + this.#random.between(0.1, 2);
    const attempt = () => {
      const waitMs = this.#links.downUntil("data", way) - clock.nowMs;
      if (waitMs > 0) return void clock.after(waitMs, attempt);
      process?.act(() => {
        if (connection === this.#connection) arrive();
      });
    };
    clock.after(this.#arrivedMs[to] - clock.nowMs, attempt);
  }
}
