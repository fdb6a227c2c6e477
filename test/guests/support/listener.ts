/**
 * Small program: accepts connections and prints, for each, who called and what was said.
 * usage: listener PORT; prints ListenerLines until its standard input ends.
 */
import { createServer } from "node:net";
import { text } from "node:stream/consumers";

export interface ListenerLine {
  from: string;
  said: string;
}

const server = createServer({ allowHalfOpen: true }, async (socket) => {
  socket.on("error", () => {});
  const from = socket.remoteAddress?.replace("::ffff:", "") ?? "";
  const said = await text(socket).catch(() => "");
  socket.end("heard\n");
  process.stdout.write(`${JSON.stringify({ from, said } satisfies ListenerLine)}\n`);
});
server.listen(Number(process.argv[2]));
process.stdin.resume().on("end", () => process.exit(0));
