/**
 * Small program: waits for a guest's call and holds an interactive session with it, as session-client does: whoever calls
 * has to send back what it hears.
 * usage: echo-caller PORT; prints a CallLine every tenth echo and at its end.
 */
import { createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";

export interface CallLine {
  /** Address of who called. */
  from: string;
  sent: number;
  echoed: number;
  wrong: string | null;
  broken: string | null;
}

const periodMs = 20;
const lastEchoWithinMs = 10_000;

const state: CallLine = { from: "", sent: 0, echoed: 0, wrong: null, broken: null };
let stopping = false;

const server = createServer({ noDelay: true }, (socket) => {
  // Other calls would be other sessions.
  server.close();
  state.from = socket.remoteAddress?.replace("::ffff:", "") ?? "";
  converse(socket);
});
server.listen(Number(process.argv[2]));
process.stdin.resume().on("end", () => {
  stopping = true;
  setTimeout(() => end("the last lines did not come back"), lastEchoWithinMs).unref();
  if (state.echoed === state.sent) end(null);
});

function converse(socket: Socket): void {
  socket.on("error", (error) => end(error.message));
  socket.on("close", () => end("closed by the guest"));
  createInterface({ input: socket }).on("line", (line) => {
    if (line === `call ${state.echoed}`) state.echoed += 1;
    else state.wrong ??= line;
    if (state.echoed % 10 === 0) print();
    if (stopping && state.echoed === state.sent) end(null);
  });
  const timer = setInterval(() => {
    if (stopping) return clearInterval(timer);
    socket.write(`call ${state.sent}\n`);
    state.sent += 1;
  }, periodMs);
}

function end(broken: string | null): void {
  state.broken = broken;
  print();
  process.exit(0);
}

function print(): void {
  process.stdout.write(`${JSON.stringify(state)}\n`);
}
