// One end of a TCP session and of a stream of 1500-byte UDP packets, both in both directions. Run in a namespace:
// `listen ADDRESS` or `connect ADDRESS`. Each line on standard input is a request with one line as answer.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";

const port = 7000;
const intervalMs = 5;
/** With the headers 1500 bytes. */
const datagramBytes = 1472;
/** Bytes; prime, so that no power of two of the transport hides a displacement. */
const patternBytes = 65_521;
const pattern = Buffer.from(
  Array.from({ length: patternBytes * 2 }, (_, index) => ((index % patternBytes) * 31) >> 3),
);

const [mode, address = ""] = process.argv.slice(2);
const datagrams = createSocket("udp4");
const fresh = () => ({ received: 0, longestGapMs: 0 });
let counts = fresh();
let hasWrongBytes = false;
let datagramsReceived = 0;
let datagramsSent = 0;
let isPaused = true;
/** The session as fast as it goes, no datagrams. */
let isFlooding = false;
/** Bytes of the session received and sent so far. */
let total = 0;
let offset = 0;
let lastAtMs = performance.now();
let peer = mode === "connect" ? address : "";

datagrams.bind(port);
await once(datagrams, "listening");
const socket = mode === "connect" ? connect(port, address) : await accept();
socket.setNoDelay(true).on("error", (error) => process.stderr.write(`${error}\n`));
if (mode === "connect") await once(socket, "connect");
peer ||= socket.remoteAddress ?? "";
receive(socket);
datagrams.on("message", (message) => {
  if (message.length === datagramBytes) datagramsReceived += 1;
  else hasWrongBytes = true;
});
// Not at once: a socket that is always ready would keep requests from being read.
socket.on("drain", () => setImmediate(flood));
setInterval(send, intervalMs);
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(answer(line))}\n`);
}
process.exit();

async function accept(): Promise<Socket> {
  const server = createServer().listen(port, address);
  await once(server, "listening");
  process.stdout.write("ready\n");
  const [accepted] = (await once(server, "connection")) as [Socket];
  return accepted;
}

function answer(line: string): unknown {
  if (line === "pause") {
    isPaused = true;
    isFlooding = false;
  }
  if (line === "flood") {
    isFlooding = true;
    flood();
  }
  if (line === "go") {
    isPaused = false;
    counts = fresh();
    lastAtMs = performance.now();
  }
  return { ...counts, hasWrongBytes, datagramsReceived, datagramsSent, sent: offset, total };
}

function receive(from: Socket): void {
  from.on("data", (data) => {
    for (let at = 0; at < data.length; ) {
      const start = (total + at) % patternBytes;
      const part = data.subarray(at, at + patternBytes);
      if (!part.equals(pattern.subarray(start, start + part.length))) hasWrongBytes = true;
      at += part.length;
    }
    total += data.length;
    counts.received += data.length;
    const nowMs = performance.now();
    counts.longestGapMs = Math.max(counts.longestGapMs, nowMs - lastAtMs);
    lastAtMs = nowMs;
  });
}

function send(): void {
  if (isPaused) return;
  datagramsSent += 1;
  datagrams.send(Buffer.alloc(datagramBytes, 7), port, peer);
  if (!socket.writableNeedDrain) write();
}

function flood(): void {
  while (isFlooding && !socket.writableNeedDrain) write();
}

function write(): void {
  const start = offset % patternBytes;
  socket.write(pattern.subarray(start, start + 32_768));
  offset += 32_768;
}
