import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

/**
 * A receiver of webhooks and a gate, on loopback: `PORT FOLDER`. Each POST becomes four files in FOLDER: NUMBER.id,
 * NUMBER.time, NUMBER.signature and NUMBER.body, the last one last. The answer is what FOLDER/answer holds.
 */
const [port, folder] = process.argv.slice(2);
let count = Date.now();

createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    count += 1;
    keep("id", header("webhook-id"));
    keep("time", header("webhook-timestamp"));
    keep("signature", header("webhook-signature"));
    keep("body", Buffer.concat(chunks));
    response.setHeader("content-type", "application/json");
    response.end(readFileSync(`${folder}/answer`));
  });
  const header = (name: string) => `${request.headers[name] ?? ""}`;
}).listen(Number(port), "127.0.0.1");

function keep(kind: string, content: string | Buffer): void {
  const path = `${folder}/${count}.${kind}`;
  writeFileSync(`${path}.part`, content);
  renameSync(`${path}.part`, path);
}
