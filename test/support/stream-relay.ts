import { once } from "node:events";
import { type AddressInfo, createConnection, createServer } from "node:net";

/** A wire that is listened to: passes one TCP connection on to a port of loopback and keeps what the client sent. */
export interface StreamRelay extends AsyncDisposable {
  readonly port: number;
  /** What the client has sent so far. */
  sent(): Buffer;
}

export async function openStreamRelay(targetPort: number): Promise<StreamRelay> {
  const chunks: Buffer[] = [];
  const server = createServer((client) => {
    const target = createConnection(targetPort, "127.0.0.1");
    const end = () => {
      client.destroy();
      target.destroy();
    };
    for (const socket of [client, target]) socket.on("error", end).on("close", end);
    client.on("data", (chunk) => chunks.push(chunk));
    client.pipe(target);
    target.pipe(client);
  });
  server.maxConnections = 1;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    sent: () => Buffer.concat(chunks),
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
