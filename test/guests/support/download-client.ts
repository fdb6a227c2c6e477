/**
 * Small program: downloads a guest's deterministic content over HTTP, slowly until a line on standard input
 * says to hurry, so that the transfer outlasts whatever happens meanwhile.
 * usage: download-client ADDRESS BYTES BYTES_PER_SECOND; prints DownloadLines.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";

export interface DownloadLine {
  received: number;
  /** At the end only. */
  sha256: string | null;
}

const [address = "", bytes = "", rate = ""] = process.argv.slice(2);
const hurry = Promise.withResolvers<void>();
let hurrying = false;
process.stdin.once("data", () => {
  hurrying = true;
  hurry.resolve();
});

const request = get({ host: address, path: `/blob?bytes=${bytes}`, agent: false });
const [response] = (await once(request, "response")) as [IncomingMessage];
const hash = createHash("sha256");
const startMs = performance.now();
let received = 0;
for await (const chunk of response as AsyncIterable<Buffer>) {
  hash.update(chunk);
  received += chunk.length;
  if (hurrying) continue;
  print(null);
  await keepPace();
}
print(hash.digest("hex"));
process.stdin.destroy();

async function keepPace(): Promise<void> {
  const aheadMs = (received / Number(rate)) * 1000 - (performance.now() - startMs);
  if (aheadMs <= 0) return;
  const due = Promise.withResolvers<void>();
  const timer = setTimeout(due.resolve, aheadMs);
  await Promise.race([due.promise, hurry.promise]);
  clearTimeout(timer);
}

function print(sha256: string | null): void {
  process.stdout.write(`${JSON.stringify({ received, sha256 } satisfies DownloadLine)}\n`);
}
