import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { labNodePrefix } from "../../../src/lab/index.ts";

/** Between two echo requests of one host (ms). */
const periodMs = 20;

/**
 * Tells how long a guest was frozen: both hosts ask it all the time. Where it runs, its host reaches it without any
 * link in between, so a cut link is not taken for a freeze.
 */
export class FreezeWatch implements AsyncDisposable {
  readonly #pings: ChildProcess[];
  readonly #answersMs: number[] = [];

  constructor(lab: string, hosts: readonly string[], address: string) {
    this.#pings = hosts.map((host) => {
      const [program, ...prefix] = labNodePrefix(lab, host) as [string, ...string[]];
      const ping = ["ping", "-D", "-n", "-i", String(periodMs / 1000), address];
      return spawn(program, [...prefix, ...ping], { stdio: ["ignore", "pipe", "ignore"] });
    });
    for (const { stdout } of this.#pings) {
      if (stdout !== null)
        createInterface({ input: stdout }).on("line", (line) => this.#note(line));
    }
  }

  /** The longest time without an answer to either host since `sinceMs` (ms since 1970). */
  longestMs(sinceMs: number, untilMs = Date.now()): number {
    const within = this.#answersMs.filter((at) => at >= sinceMs && at <= untilMs);
    const instants = [sinceMs, ...within.toSorted((one, other) => one - other), untilMs];
    const holes = instants.slice(1).map((at, index) => at - (instants[index] ?? at));
    return Math.round(Math.max(...holes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const ping of this.#pings) {
      if (ping.exitCode !== null || ping.signalCode !== null) continue;
      const ended = once(ping, "exit");
      ping.kill("SIGKILL");
      await ended;
    }
  }

  #note(line: string): void {
    const seconds = /^\[(\d+\.\d+)\] \d+ bytes from/.exec(line)?.[1];
    if (seconds !== undefined) this.#answersMs.push(Number(seconds) * 1000);
  }
}
