import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";

/** A message as a receiver got it. */
export interface Received {
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** A real HTTP server on loopback that keeps what it gets. */
export interface Receiver extends AsyncDisposable {
  port: number;
  url: string;
  received: Received[];
  /** Resolves when `count` messages have come. */
  got(count: number): Promise<Received[]>;
}

type Answer = (message: Received, response: ServerResponse, index: number) => void;

export interface ReceiverOptions {
  answer?: Answer;
  port?: number;
  tls?: { key: string; cert: string };
}

const accept: Answer = (_message, response) => response.writeHead(204).end();

export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const received: Received[] = [];
  let changed = Promise.withResolvers<void>();
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const message = await messageOf(request);
    received.push(message);
    changed.resolve();
    changed = Promise.withResolvers();
    (options.answer ?? accept)(message, response, received.length - 1);
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    serve(request, response).catch(() => response.destroy());
  };
  const server =
    options.tls === undefined
      ? createServer(onRequest)
      : createSecureServer(options.tls, onRequest);
  server.on("error", () => {});
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `${options.tls === undefined ? "http" : "https"}://127.0.0.1:${port}/hook`,
    received,
    async got(count) {
      while (received.length < count) await changed.promise;
      return received.slice(0, count);
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function messageOf(request: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
  return { url: request.url ?? "", headers, body: Buffer.concat(chunks).toString() };
}
