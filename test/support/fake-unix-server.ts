import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";

/** A server on a unix socket that says what a test wants it to say; its folder goes with it. */
export abstract class FakeUnixServer implements AsyncDisposable {
  readonly path: string;
  connections = 0;
  protected readonly sockets = new Set<Socket>();
  protected readonly listening: Promise<unknown>;
  readonly #folder: string;
  readonly #server: Server;

  /** @param folder made for it alone. */
  protected constructor(folder: string, name: string) {
    this.#folder = folder;
    this.path = join(folder, name);
    this.#server = createServer((socket) => this.#accept(socket)).listen(this.path);
    this.listening = once(this.#server, "listening");
  }

  /** Answers a client that has just come. */
  protected abstract serve(socket: Socket): void;

  /** Sends something to every client. */
  say(bytes: Uint8Array | string): void {
    for (const socket of this.sockets) socket.write(bytes);
  }

  /** Ends every connection. */
  hangUp(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    this.#server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #accept(socket: Socket): void {
    this.connections++;
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("error", () => {});
    this.serve(socket);
  }
}
