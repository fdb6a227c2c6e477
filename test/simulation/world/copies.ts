import type { Instant } from "../schedule.ts";
import type { FakeQemu } from "./fake-qemu.ts";

/** Watches every process that holds the guest: at no instant may two run it, nor one that is older than what ran. */
export class Copies {
  readonly all: FakeQemu[] = [];
  readonly violations: string[] = [];
  /** Called when the stream of a domain has come so far. */
  onInstant: (instant: Instant) => void = () => {};
  onRun: (copy: FakeQemu) => void = () => {};
  /** Grows each time the guest is run: a copy that lacks the latest run would undo what peers have seen. */
  #latestRun = 0;
  #stoodSinceMs: number | null = null;
  /** The longest time in which nobody ran the guest (ms). */
  longestStandMs = 0;

  running(): FakeQemu[] {
    return this.all.filter((copy) => copy.alive && copy.runState === "running");
  }

  /** Processes that could still give the guest back as it was last. */
  holders(): FakeQemu[] {
    return this.all.filter(
      (copy) => copy.alive && copy.run === this.#latestRun && copy.runState !== "inmigrate",
    );
  }

  on(host: string): FakeQemu[] {
    return this.all.filter((copy) => copy.alive && copy.host === host);
  }

  /** Called by a copy that ran. */
  noteStop(copy: FakeQemu): void {
    this.#stoodSinceMs = copy.clock.nowMs;
  }

  /** Called by a copy that begins to run. */
  noteRun(copy: FakeQemu): void {
    const stoodMs = copy.clock.nowMs - (this.#stoodSinceMs ?? copy.clock.nowMs);
    this.longestStandMs = Math.max(this.longestStandMs, stoodMs);
    this.#stoodSinceMs = null;
    const running = this.running();
    if (running.length > 1) {
      this.violations.push(`two copies run: ${running.map(({ name }) => name).join(" and ")}`);
    }
    if (copy.run < this.#latestRun) {
      this.violations.push(`${copy.name} runs a copy that is older than what has run elsewhere`);
    }
    this.#latestRun += 1;
    copy.run = this.#latestRun;
    this.onRun(copy);
  }

  /** An operator has given up whatever is newer than this copy. */
  fallBackTo(copy: FakeQemu): void {
    copy.run = this.#latestRun;
  }
}
