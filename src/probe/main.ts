import { constants, setPriority } from "node:os";
import { monotonicMs, wallClockMs } from "../platform/clock.ts";
import { asSojournError } from "../platform/errors.ts";
import { type ProberArguments, parseProberArguments } from "./arguments.ts";
import { EchoSession } from "./echo-session.ts";
import { HttpSession } from "./http-session.ts";
import type { ProberMessage } from "./messages.ts";
import { PacketSession } from "./packet-session.ts";
import { isOfBytes } from "./series.ts";
import type { Session, SessionEvents } from "./session.ts";
import { SessionOutput } from "./session-output.ts";
import { bucketMs, StreamSession } from "./stream-session.ts";
import { Ticker } from "./ticker.ts";
import { UploadSession } from "./upload-session.ts";

const flushIntervalMs = 100;

/**
 * The prober's process: measures one session, tells what it sees as lines of JSON on standard output,
 * ends on `{"command":"stop"}` or when its standard input does.
 */
function main(): void {
  const options = readArguments();
  const output = new SessionOutput();
  preferThisProcess();
  output.send(hello(options));
  let isStopping = false;

  const stop = async () => {
    if (isStopping) return;
    isStopping = true;
    flusher.stop();
    await session.stop();
    session.flush(monotonicMs(), true);
    output.send({ type: "summary", at_ms: monotonicMs(), ...session.totals() });
    output.exit(0);
  };
  const events: SessionEvents = {
    ready: (atMs) => output.send({ type: "ready", at_ms: atMs }),
    broken: (reason, message) =>
      output.send({ type: "broken", at_ms: monotonicMs(), reason, message }),
    kernel: ({ retransmissions, rto }) =>
      output.send({ type: "tcp", at_ms: monotonicMs(), retransmissions, rto }),
    noSession: (reason, message) => {
      isStopping = true;
      flusher.stop();
      output.send({ type: "no-session", reason, message });
      output.exit(3);
    },
  };
  const session = startSession(options, events, (message) => output.send(message));
  const flusher = new Ticker(flushIntervalMs, (nowMs) => session.flush(nowMs, false));
  flusher.start();
  listenForCommands(() => void stop());
}

main();

function startSession(
  options: ProberArguments,
  events: SessionEvents,
  send: (message: ProberMessage) => void,
): Session {
  switch (options.kind) {
    case "tcp-echo":
      return new EchoSession(options, events, send);
    case "tcp-stream":
      return new StreamSession(options, events, send);
    case "tcp-upload":
      return new UploadSession(options, events, send);
    case "http":
      return new HttpSession(options, events, send);
    case "packet":
      return new PacketSession(options, events, send);
  }
}

/** The parent's death closes standard input, also when it had no time to say anything. */
function listenForCommands(stop: () => void): void {
  let pending = "";
  process.stdin.setEncoding("utf8");
  process.stdin.on("data", (text: string) => {
    const lines = (pending + text).split("\n");
    pending = (lines.pop() ?? "").slice(0, 1024);
    if (lines.some(isStopCommand)) stop();
  });
  process.stdin.on("end", () => process.exit(0));
  process.stdin.on("error", () => process.exit(0));
}

function isStopCommand(line: string): boolean {
  try {
    return JSON.parse(line)?.command === "stop";
  } catch {
    return false;
  }
}

function hello(options: ProberArguments): ProberMessage {
  const beforeMs = monotonicMs();
  const wallMs = wallClockMs();
  const afterMs = monotonicMs();
  return {
    type: "hello",
    version: 1,
    kind: options.kind,
    pid: process.pid,
    monotonic_ms: (beforeMs + afterMs) / 2,
    wall_clock_ms: wallMs,
    clock_uncertainty_ms: afterMs - beforeMs,
    interval_ms: isOfBytes(options.kind) ? bucketMs : options.intervalMs,
  };
}

/** A prober that waits for a processor measures that wait; not everybody may raise a priority. */
function preferThisProcess(): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGH);
  } catch {
    // It measures all the same, with a higher floor.
  }
}

function readArguments(): ProberArguments {
  try {
    return parseProberArguments(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${asSojournError(error).message}\n`);
    process.exit(2);
  }
}
