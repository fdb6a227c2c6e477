import { connect, createServer, type Socket } from "node:net";

/**
 * Sessions that never end, for tests that change what lies between their ends.
 * `sessions.ts guest PEER` serves echo (7, 80), discard (9) and chargen (19), and sends to PEER, port 9000, all it can.
 * `sessions.ts client GUEST ADDRESS` has sessions with GUEST's ports and with ADDRESS, port 8080, and says every 50 ms how
 * much each of them has moved so far, as JSON.
 */
const [role, first = "", second = ""] = process.argv.slice(2);
const block = Buffer.alloc(65_536);
const moved: Record<string, number> = {};

if (role === "guest") serve(first);
else dial(first, second);

function serve(peer: string): void {
  for (const port of [7, 80])
    createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(port);
  createServer((socket) => socket.on("error", () => {}).resume()).listen(9);
  createServer(send).listen(19);
  process.stdin.once("data", () => send(connect(9000, peer)));
  console.log("listening");
}

function dial(guest: string, translated: string): void {
  createServer((socket) => count("outward", socket)).listen(9000);
  count("download", connect(19, guest));
  const upload = connect(9, guest);
  upload.on("error", fail);
  send(upload);
  exchange("echo", connect(7, guest));
  exchange("translated", connect(8080, translated));
  setInterval(() => {
    // What lies in buffers has not moved; the kernel's own hold some MiB more.
    moved.upload = upload.bytesWritten - upload.writableLength;
    console.log(JSON.stringify(moved));
  }, 50);
}

function send(socket: Socket): void {
  const more = () => {
    while (socket.write(block));
  };
  // The client ends first.
  socket.on("error", role === "guest" ? () => socket.destroy() : fail);
  socket.on("drain", more);
  more();
}

function count(name: string, socket: Socket): void {
  socket.on("error", fail);
  socket.on("data", (data) => {
    moved[name] = (moved[name] ?? 0) + data.length;
  });
}

/** A message each way, again and again. */
function exchange(name: string, socket: Socket): void {
  count(name, socket);
  socket.on("data", () => setTimeout(() => socket.write("x"), 5));
  socket.write("x");
}

function fail(error: Error): void {
  console.error(error.message);
  process.exitCode = 1;
}
