// Run in a namespace: `serve ADDRESS PORT` echoes, `send ADDRESS PORT BYTES` sends and checks what comes back.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";

const [mode, address, port, bytes] = process.argv.slice(2);

if (mode === "serve") {
  const server = createServer((socket) => socket.on("error", () => socket.destroy()).pipe(socket));
  server.listen(Number(port), address, () => process.stdout.write("ready\n"));
} else {
  await send(Number(bytes));
}

async function send(total: number): Promise<void> {
  const socket = connect(Number(port), address);
  await once(socket, "connect");
  const chunk = randomBytes(1 << 20);
  const sent = createHash("sha256");
  const received = createHash("sha256");
  const ended = once(socket, "end");
  socket.on("data", (data) => received.update(data));
  for (let left = total; left > 0; left -= chunk.length) {
    const part = chunk.subarray(0, Math.min(left, chunk.length));
    sent.update(part);
    if (!socket.write(part)) await once(socket, "drain");
  }
  socket.end();
  await ended;
  const same = sent.digest("hex") === received.digest("hex");
  process.stdout.write(same ? "same\n" : "different\n");
}
