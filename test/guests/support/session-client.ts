/**
 * Small program: one interactive session with a guest's echo service, as a terminal would hold it. Sends a
 * numbered line every 20 ms and checks that each comes back, whole and in order, until its standard input ends.
 * usage: session-client ADDRESS PORT; prints a SessionLine every tenth echo and at its end.
 */
import { connect } from "node:net";
import { createInterface } from "node:readline";

export interface SessionLine {
  sent: number;
  echoed: number;
  /** What came back instead of the line that was due. */
  wrong: string | null;
  /** Why the session ended before it was to. */
  broken: string | null;
  ended: boolean;
}

const periodMs = 20;
const lastEchoWithinMs = 10_000;

const [address = "", port = ""] = process.argv.slice(2);
const socket = connect({ host: address, port: Number(port), noDelay: true });
const state: SessionLine = { sent: 0, echoed: 0, wrong: null, broken: null, ended: false };
let stopping = false;

socket.on("error", (error) => end(error.message));
socket.on("close", () => end("closed by the guest"));
createInterface({ input: socket }).on("line", (line) => {
  if (line === textOf(state.echoed)) state.echoed += 1;
  else state.wrong ??= line;
  if (state.echoed % 10 === 0) print();
  if (stopping && state.echoed === state.sent) end(null);
});
socket.once("connect", () => {
  const timer = setInterval(() => {
    if (stopping) clearInterval(timer);
    else {
      socket.write(`${textOf(state.sent)}\n`);
      state.sent += 1;
    }
  }, periodMs);
});
process.stdin.resume().on("end", () => {
  stopping = true;
  setTimeout(() => end("the last lines did not come back"), lastEchoWithinMs).unref();
  if (state.echoed === state.sent) end(null);
});

function textOf(number: number): string {
  return `line ${number} ${"x".repeat(number % 60)}`;
}

function end(broken: string | null): void {
  if (state.ended) return;
  state.ended = true;
  state.broken = broken;
  print();
  socket.destroy();
  process.stdin.destroy();
  stopping = true;
}

function print(): void {
  process.stdout.write(`${JSON.stringify(state)}\n`);
}
