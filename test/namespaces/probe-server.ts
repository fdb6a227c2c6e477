import { createServer, type Socket } from "node:net";
import { chargenPattern, patternPeriodBytes } from "../../src/probe/pattern.ts";

/** Services a prober can meet: `node probe-server.ts SERVICE PORT`; says when it listens. */
const services: Record<string, (socket: Socket) => void> = {
  echo: (socket) => socket.setNoDelay().pipe(socket),
  chargen: (socket) => {
    const pattern = chargenPattern(10 * patternPeriodBytes);
    const fill = () => {
      while (socket.writable && socket.write(pattern));
    };
    socket.on("drain", fill).resume();
    fill();
  },
  /** Pages as the lab's guest has them, its clock one hour ahead; every other page is missing. */
  guest: (socket) => {
    socket.on("data", (data) => {
      const path = /^GET (\S+) /.exec(data.toString("latin1"))?.[1] ?? "";
      const aheadNs =
        BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
      const pages: Record<string, string> = {
        "/": "hello",
        "/clock": JSON.stringify({ realtime_ns: String(aheadNs + 3_600_000_000_000n) }),
        "/tcp": JSON.stringify({ retransmissions: 3, timeouts: 1 }),
      };
      const text = pages[path] ?? "missing";
      const status = pages[path] === undefined ? "404 Not Found" : "200 OK";
      socket.write(`HTTP/1.1 ${status}\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
    });
  },
  /** Announces the end of each connection with its tenth answer; the page is always missing. */
  "closing-http": (socket) => {
    let answers = 0;
    socket.on("data", () => {
      const isLast = ++answers === 10;
      socket.write(
        `HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n${isLast ? "Connection: close\r\n" : ""}\r\n`,
      );
      if (isLast) socket.end();
    });
  },
  silent: (socket) => socket.resume(),
  /** Answers 40 requests and then something else. */
  "wrong-later": (socket) => {
    let bytes = 0;
    socket.on("data", (data) => {
      bytes += data.length;
      socket.write(bytes > 40 * 32 ? Buffer.alloc(data.length) : data);
    });
  },
};

const [name = "", port = ""] = process.argv.slice(2);
const serve = services[name];
if (serve === undefined) throw new Error(`no such service: ${name}`);
const server = createServer((socket) => {
  socket.on("error", () => {});
  serve(socket);
});
server.listen(Number(port), "0.0.0.0", () => process.stdout.write("listening\n"));
