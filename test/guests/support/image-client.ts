/** Checks of the guest's services, run in its network namespace: image-client.ts CHECK; prints JSON. */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, get } from "node:http";
import { createConnection, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { blobBytes } from "./blob.ts";

const guest = "10.1.0.10";

const checks: Record<string, () => Promise<unknown>> = {
  /** Several sessions at once, each a mebibyte that has to come back in order; then resets. */
  async echo() {
    const session = async () => {
      const socket = await connect(7);
      const sent = randomBytes(1024 * 1024);
      socket.end(sent);
      return (await buffer(socket)).equals(sent);
    };
    const equal = await Promise.all(Array.from({ length: 8 }, session));
    const reset = await connect(7);
    reset.write("unread");
    reset.resetAndDestroy();
    equal.push(await session());
    return equal;
  },

  async discard() {
    const socket = await connect(9);
    socket.end(Buffer.alloc(8 * 1024 * 1024));
    const answer = await buffer(socket);
    return { sentBytes: socket.bytesWritten, answerBytes: answer.length };
  },

  async chargen() {
    const socket = await connect(19);
    const parts: Buffer[] = [];
    for await (const part of socket as AsyncIterable<Buffer>) {
      parts.push(part);
      if (socket.bytesRead >= 4 * 1024 * 1024) break;
    }
    const text = Buffer.concat(parts).toString("latin1").split("\r\n").slice(0, -1);
    const wrong = text.findIndex((line, index) => line !== chargenLine(index));
    return { lines: text.length, wrong };
  },

  /** Lengths around the generator's and the server's units, all on one kept connection. */
  async http() {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    const blobs: boolean[] = [];
    for (const count of [0, 1, 3, 4, 4097, 16384, 16385, 300_000]) {
      const { body, localPort } = await fetchBody(`/blob?bytes=${count}`, agent);
      blobs.push(body.equals(blobBytes(count)));
      ports.add(localPort);
    }
    const large = await fetchBody("/blob?bytes=8388608", agent);
    const said = (await fetchBody("/blob.sha256?bytes=8388608", new Agent())).body;
    const page = (await fetchBody("/", agent)).body.toString();
    const missing = (await fetchBody("/nothing", agent)).status;
    const negative = (await fetchBody("/blob?bytes=-1", agent)).status;
    agent.destroy();
    const sha256 = createHash("sha256").update(large.body).digest("hex");
    return {
      blobs,
      connections: ports.size,
      sha256Equal: sha256 === said.toString().trim(),
      page,
      missing,
      negative,
    };
  },

  /** Requests no server has to like: each gets an answer or an end, and the next one is served. */
  async badRequests() {
    const statuses: string[] = [];
    for (const request of [
      "nonsense\r\n\r\n",
      "POST / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
      `GET /${"a".repeat(10_000)} HTTP/1.1\r\n\r\n`,
      "\0\0\0\0\r\n\r\n",
    ]) {
      const socket = await connect(80);
      socket.on("error", () => {});
      socket.write(request);
      const [answer] = (await once(socket, "data")) as [Buffer];
      statuses.push(answer.toString("latin1").split(" ")[1] ?? "");
      socket.destroy();
    }
    return { statuses, after: (await fetchBody("/", new Agent())).status };
  },

  memcheck: async () => JSON.parse((await fetchBody("/memcheck", new Agent())).body.toString()),
  tcp: async () => JSON.parse((await fetchBody("/tcp", new Agent())).body.toString()),
  clock: async () => JSON.parse((await fetchBody("/clock", new Agent())).body.toString()),
};

async function connect(port: number): Promise<Socket> {
  const socket = createConnection(port, guest);
  await once(socket, "connect");
  return socket;
}

function chargenLine(index: number): string {
  const codes = Array.from({ length: 72 }, (_, column) => 32 + ((index + column) % 95));
  return String.fromCharCode(...codes);
}

async function fetchBody(
  path: string,
  agent: Agent,
): Promise<{ status: number | undefined; body: Buffer; localPort: number | undefined }> {
  const request = get({ host: guest, path, agent });
  const [response] = await once(request, "response");
  const localPort: number | undefined = response.socket.localPort;
  return { status: response.statusCode, body: await buffer(response), localPort };
}

const check = checks[process.argv[2] ?? ""];
if (check === undefined) throw new Error(`unknown check ${process.argv[2]}`);
process.stdout.write(JSON.stringify(await check()));
