import { type ChildProcessByStdio, spawn } from "node:child_process";
import { setPriority } from "node:os";
import type { Readable } from "node:stream";
import { monotonicMs } from "../platform/clock.ts";
import { findTool } from "../platform/command.ts";
import { asSojournError } from "../platform/errors.ts";
import { LineSplitter } from "../platform/line-splitter.ts";
import { AnswerBatch } from "./answer-batch.ts";
import type { ProberMessage } from "./messages.ts";
import { PacketLedger } from "./packet-ledger.ts";
import { parsePingReply, parsePingSent } from "./ping-lines.ts";
import { proberProtocolError } from "./prober-errors.ts";
import type { NoSessionReason, Session, SessionEvents, SessionOptions } from "./session.ts";
import { droppedAtSockets } from "./socket-drops.ts";
import { StampClock } from "./stamp-clock.ts";

const maxLineBytes = 1024;
const maxStderrBytes = 1024;
/** A silence of this length at the end means that the last requests are lost, not under way. */
const tailIsLostAfterMs = 1000;
const endTimeoutMs = 1000;
/**
 * Requests that may be made up for at once. Without it, ping sends only one whenever an answer comes or 10 ms
 * are over, which is 100 requests a second through an outage or a path of 10 ms.
 */
const preload = "20";
/**
 * While nothing is under way, ping does not sleep between two requests but yields and looks again: most of a
 * processor on paths of less than a millisecond. So it takes what others leave.
 */
const pingNiceness = 10;

/**
 * Echo requests of ICMP (RFC 792) by the system's ping, which numbers them and stamps the answers. It counts
 * the interval in whole milliseconds, so 1 ms comes to 600 to 900 requests a second.
 */
export class PacketSession implements Session {
  readonly #events: SessionEvents;
  readonly #send: (message: ProberMessage) => void;
  readonly #intervalMs: number;
  readonly #ledger = new PacketLedger();
  readonly #batch = new AnswerBatch();
  readonly #clock = new StampClock();
  readonly #child: ChildProcessByStdio<null, Readable, Readable> | null;
  readonly #ended: Promise<void>;
  readonly #patience: NodeJS.Timeout;
  #state: "starting" | "ready" | "stopping" | "ended" = "starting";
  #stderr = "";
  #sent = 0;
  #lastReceivedMs = 0;
  #unread = 0;

  constructor(
    options: SessionOptions,
    events: SessionEvents,
    send: (message: ProberMessage) => void,
  ) {
    this.#events = events;
    this.#send = send;
    this.#intervalMs = options.intervalMs;
    const { connectTimeoutMs } = options;
    this.#patience = setTimeout(
      () => this.#refuse("silent", `no answer within ${connectTimeoutMs} ms`),
      connectTimeoutMs,
    );
    this.#child = this.#startPing(options);
    this.#ended =
      this.#child === null
        ? Promise.resolve()
        : new Promise((resolve) => {
            this.#child?.on("close", (exitCode) => {
              this.#pingEnded(exitCode);
              resolve();
            });
          });
  }

  flush(nowMs: number): void {
    if (this.#state === "starting") return;
    const silenceMs = nowMs - this.#lastReceivedMs;
    const dueSinceLast = Math.floor(silenceMs / this.#intervalMs);
    const sent = this.#sent > 0 ? this.#sent : this.#ledger.highest + dueSinceLast;
    this.#lookForDrops();
    const tailIsLost = silenceMs >= tailIsLostAfterMs;
    const counts = this.#ledger.counts(sent, tailIsLost, this.#unread);
    const unanswered = Math.max(0, sent - this.#ledger.highest);
    this.#send(this.#batch.take(nowMs, 0, unanswered));
    this.#send({ type: "packets", at_ms: nowMs, ...counts });
  }

  /** Asks ping for its statistics, which tell how many requests there were. */
  async stop(): Promise<void> {
    if (this.#state !== "ended") this.#state = "stopping";
    clearTimeout(this.#patience);
    this.#lookForDrops();
    this.#child?.kill("SIGINT");
    const timer = setTimeout(() => this.#child?.kill("SIGKILL"), endTimeoutMs);
    await this.#ended;
    clearTimeout(timer);
  }

  totals(): { answers: number; bytes: number } {
    return { answers: this.#ledger.counts(0, false).sent, bytes: 0 };
  }

  #startPing({ host, intervalMs }: SessionOptions) {
    const args = ["-n", "-D", "-i", String(intervalMs / 1000), "-l", preload, host];
    try {
      const child = spawn(findTool("ping"), args, {
        stdio: ["ignore", "pipe", "pipe"],
        env: { LC_ALL: "C" },
      });
      child.on("error", (error) => this.#refuse("unavailable", error.message));
      if (child.pid !== undefined) setPriority(child.pid, pingNiceness);
      this.#read(child);
      return child;
    } catch (error) {
      // After the constructor, as every other answer.
      setImmediate(() => this.#refuse("unavailable", asSojournError(error).message));
      return null;
    }
  }

  #read(child: ChildProcessByStdio<null, Readable, Readable>): void {
    const lines = new LineSplitter(maxLineBytes, proberProtocolError);
    child.stdout.on("data", (chunk: Buffer) => {
      const nowMs = monotonicMs();
      for (const line of lines.push(chunk)) this.#accept(line, nowMs);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString("utf8")).slice(0, maxStderrBytes);
    });
  }

  #accept(line: string, nowMs: number): void {
    const reply = parsePingReply(line);
    if (reply === null) {
      this.#sent = parsePingSent(line) ?? this.#sent;
      return;
    }
    const receivedMs = this.#clock.toMonotonicMs(reply.receivedMs, nowMs);
    if (!this.#ledger.accept(reply.sequence)) return;
    this.#lastReceivedMs = receivedMs;
    if (this.#batch.isFull) this.flush(nowMs);
    this.#batch.add(receivedMs - reply.roundTripMs, receivedMs);
    if (this.#state !== "starting") return;
    this.#state = "ready";
    clearTimeout(this.#patience);
    this.#events.ready(receivedMs);
  }

  #lookForDrops(): void {
    const { pid } = this.#child ?? {};
    if (pid !== undefined) this.#unread = droppedAtSockets(pid) ?? this.#unread;
  }

  #pingEnded(exitCode: number | null): void {
    const said = this.#stderr.trim().split("\n")[0] ?? "";
    const message = said === "" ? `ping ended with exit code ${exitCode}` : said;
    if (this.#state === "starting") {
      const isOurs = /not permitted|minimal interval|cannot set preload|cannot flood/.test(said);
      this.#refuse(isOurs ? "unavailable" : "unreachable", message);
    } else if (this.#state === "ready") {
      this.#state = "ended";
      this.#events.broken("failed", message);
    }
  }

  #refuse(reason: NoSessionReason, message: string): void {
    if (this.#state !== "starting") return;
    this.#state = "ended";
    clearTimeout(this.#patience);
    this.#child?.kill("SIGKILL");
    this.#events.noSession(reason, message.slice(0, 1000));
  }
}
