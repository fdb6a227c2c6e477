import { createServer } from "node:http";

/** Answers every message with 204 and prints it; ends with its input. `PORT` */
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const message = { headers: request.headers, body: Buffer.concat(chunks).toString() };
    process.stdout.write(`${JSON.stringify(message)}\n`, () => response.writeHead(204).end());
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1");
process.stdin.resume().on("end", () => process.exit());
