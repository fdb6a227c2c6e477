import { once } from "node:events";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";

/** A wire that is listened to: passes TCP connections on to a port of loopback and keeps what the clients sent. */
export interface StreamRelay extends AsyncDisposable {
  readonly port: number;
  /** What the clients have sent so far. */
  sent(): Buffer;
  /** How many connections there have been. */
  accepted(): number;
  /** Both ends of each connection are told that it has ended. */
  cut(): void;
  /** Nothing more passes, and nobody is told. */
  freeze(): void;
}

/** For one connection unless told otherwise. */
export async function openStreamRelay(targetPort: number, connections = 1): Promise<StreamRelay> {
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((client) => {
    accepted += 1;
    const target = createConnection(targetPort, "127.0.0.1");
    const end = () => {
      client.destroy();
      target.destroy();
    };
    for (const socket of [client, target]) sockets.add(socket);
    for (const socket of [client, target]) socket.on("error", end).on("close", end);
    client.on("data", (chunk) => chunks.push(chunk));
    client.pipe(target);
    target.pipe(client);
  });
  server.maxConnections = connections;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    sent: () => Buffer.concat(chunks),
    accepted: () => accepted,
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    freeze() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
