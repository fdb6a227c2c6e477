import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { findTool } from "../../../src/platform/command.ts";

interface Reply {
  sequence: number;
  /** Wall clock, milliseconds since 1970. */
  receivedMs: number;
}

/** Echo requests at 100 Hz from somewhere to somewhere, by the system's ping(8), until it is disposed. */
export class PingStream implements AsyncDisposable {
  readonly #replies: Reply[] = [];
  readonly #child: ChildProcessByStdio<null, Readable, null>;
  readonly #closed: Promise<unknown>;
  readonly #target: string;
  #onReply: () => void = () => {};

  private constructor(prefix: readonly string[], target: string) {
    this.#target = target;
    const [program, ...args] = [...prefix, findTool("ping"), "-n", "-D", "-i", "0.01", target];
    this.#child = spawn(program ?? "", args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#closed = once(this.#child, "close");
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const match = /^\[([0-9.]+)\] \d+ bytes from .* icmp_seq=(\d+) ttl=/.exec(line);
      if (match === null) return;
      this.#replies.push({ sequence: Number(match[2]), receivedMs: Number(match[1]) * 1000 });
      this.#onReply();
    });
  }

  /** @param prefix start of a command line that runs what follows it at the pinging side. */
  static async start(prefix: readonly string[], target: string): Promise<PingStream> {
    const stream = new PingStream(prefix, target);
    await stream.replies(20);
    return stream;
  }

  /** Resolves once that many more replies are there. @throws Error when they do not come within 10 s. */
  async replies(more: number): Promise<void> {
    const wanted = this.#replies.length + more;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const fail = () => reject(new Error(`no ${more} more replies of ${this.#target} within 10 s`));
    const timer = setTimeout(fail, 10_000);
    this.#onReply = () => {
      if (this.#replies.length >= wanted) resolve();
    };
    await promise.finally(() => clearTimeout(timer));
  }

  /** Sequence numbers without a reply among the requests from just before `fromMs` to just after `toMs`. */
  between(fromMs: number, toMs: number): { requests: number; lost: number[] } {
    const first = this.#replies.findLast(({ receivedMs }) => receivedMs < fromMs)?.sequence;
    const last = this.#replies.find(({ receivedMs }) => receivedMs > toMs)?.sequence;
    if (first === undefined || last === undefined) throw new Error("the window is not covered");
    const answered = new Set(this.#replies.map(({ sequence }) => sequence));
    const requests = Array.from({ length: last - first + 1 }, (_, index) => first + index);
    return {
      requests: requests.length,
      lost: requests.filter((sequence) => !answered.has(sequence)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGINT");
    await this.#closed;
  }
}
