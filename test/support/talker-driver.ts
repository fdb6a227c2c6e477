import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";

/**
 * Keeps TCP sessions of this process's namespace: one JSON request a line, one JSON answer a line. It serves port 7 too:
 * whoever sends a line is sent it back, with the address that it came from in front.
 */
const sessions = new Map<string, Socket>();
const answers = new Map<string, (line: string) => void>();

const server = createServer((socket) => {
  const from = socket.remoteAddress;
  socket.on("error", () => socket.destroy());
  createInterface({ input: socket }).on("line", (line) => socket.write(`${from} ${line}\n`));
});
await new Promise<void>((resolve) => server.listen(7, "0.0.0.0", resolve));
process.stdout.write("{}\n");

for await (const line of createInterface({ input: process.stdin })) {
  const { ask, name, address, bytes, patienceMs } = JSON.parse(line);
  const answer = await within(patienceMs, ask === "open" ? open(name, address) : say(name, bytes));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
for (const socket of sessions.values()) socket.destroy();
process.exit();

/** The address that the other end sees. */
async function open(name: string, address: string): Promise<string> {
  const socket = connect({ port: 7, host: address });
  sessions.set(name, socket);
  socket.setNoDelay(true);
  const failure = new Promise<string>((resolve) =>
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(`${error.code}`)),
  );
  createInterface({ input: socket }).on("line", (line) => answers.get(name)?.(line));
  const connected = new Promise<void>((resolve) => socket.once("connect", resolve));
  return await Promise.race([failure, connected.then(() => say(name, 1))]);
}

/** The same, of a session that is open. */
async function say(name: string, bytes: number): Promise<string> {
  const answered = new Promise<string>((resolve) => answers.set(name, resolve));
  sessions.get(name)?.write(`${"x".repeat(bytes)}\n`);
  const [address = "", text = ""] = (await answered).split(" ");
  return text.length === bytes ? address : "garbled";
}

function within(ms: number, answer: Promise<string>): Promise<string> {
  return Promise.race([
    answer,
    new Promise<string>((resolve) => setTimeout(resolve, ms, "silence").unref()),
  ]);
}
