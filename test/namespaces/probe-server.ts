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
