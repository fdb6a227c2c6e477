import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface FakeCommand {
  execute: string;
  arguments?: Record<string, unknown>;
  id: unknown;
}

/** Answers a command: what is returned becomes `return`; undefined means no answer. */
export type FakeAnswer = (command: FakeCommand, socket: Socket) => unknown;

const greeting = {
  QMP: { version: { qemu: { major: 10, minor: 0, micro: 2 } }, capabilities: [] },
};

/** A QMP server that says what a test wants it to say, true or not. */
export class FakeQmp implements AsyncDisposable {
  readonly path: string;
  readonly commands: FakeCommand[] = [];
  answer: FakeAnswer;
  greeting: string = `${JSON.stringify(greeting)}\r\n`;
  connections = 0;
  readonly #folder: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async listen(answer: FakeAnswer = () => ({})): Promise<FakeQmp> {
    const folder = await mkdtemp(join(tmpdir(), "fake-qmp-"));
    const fake = new FakeQmp(folder, answer);
    await once(fake.#server, "listening");
    return fake;
  }

  private constructor(folder: string, answer: FakeAnswer) {
    this.#folder = folder;
    this.path = join(folder, "qmp.sock");
    this.answer = answer;
    this.#server = createServer((socket) => this.#accept(socket)).listen(this.path);
  }

  /** Sends text to every client. */
  say(text: string | Buffer): void {
    for (const socket of this.#sockets) socket.write(text);
  }

  /** Sends a QMP event. */
  event(event: string, data: Record<string, unknown> = {}): void {
    this.say(
      `${JSON.stringify({ event, data, timestamp: { seconds: 5, microseconds: 250_000 } })}\r\n`,
    );
  }

  /** Ends every connection. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    this.#server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #accept(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    if (this.greeting !== "") socket.write(this.greeting);
    let text = "";
    socket.on("data", (chunk) => {
      const lines = (text + chunk.toString()).split("\r\n");
      text = lines.pop() ?? "";
      for (const line of lines) this.#receive(JSON.parse(line), socket);
    });
  }

  #receive(command: FakeCommand, socket: Socket): void {
    this.commands.push(command);
    const isNegotiation = command.execute === "qmp_capabilities";
    const value = isNegotiation ? {} : this.answer(command, socket);
    if (value === undefined) return;
    socket.write(`${JSON.stringify({ return: value, id: command.id })}\r\n`);
  }
}
