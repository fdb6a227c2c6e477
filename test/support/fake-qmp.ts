import { mkdtemp } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeUnixServer } from "./fake-unix-server.ts";

export interface FakeCommand {
  execute: string;
  arguments?: Record<string, unknown>;
  id: unknown;
  outOfBand: boolean;
}

/** Answers a command: what is returned becomes `return`; undefined means no answer. */
export type FakeAnswer = (command: FakeCommand, socket: Socket) => unknown;

const version = { qemu: { major: 10, minor: 0, micro: 2 } };

/** What a monitor says first. */
function greetingWith(...capabilities: string[]): string {
  return `${JSON.stringify({ QMP: { version, capabilities } })}\r\n`;
}

/** A QMP server that says what a test wants it to say, true or not. */
export class FakeQmp extends FakeUnixServer {
  readonly commands: FakeCommand[] = [];
  answer: FakeAnswer;
  greeting = greetingWith();

  static async listen(answer: FakeAnswer = () => ({})): Promise<FakeQmp> {
    const folder = await mkdtemp(join(tmpdir(), "fake-qmp-"));
    const fake = new FakeQmp(folder, answer);
    await fake.listening;
    return fake;
  }

  private constructor(folder: string, answer: FakeAnswer) {
    super(folder, "qmp.sock");
    this.answer = answer;
  }

  offer(...capabilities: string[]): void {
    this.greeting = greetingWith(...capabilities);
  }

  /** Sends a QMP event. */
  event(event: string, data: Record<string, unknown> = {}): void {
    this.say(
      `${JSON.stringify({ event, data, timestamp: { seconds: 5, microseconds: 250_000 } })}\r\n`,
    );
  }

  protected serve(socket: Socket): void {
    if (this.greeting !== "") socket.write(this.greeting);
    let text = "";
    socket.on("data", (chunk) => {
      const lines = (text + chunk.toString()).split("\r\n");
      text = lines.pop() ?? "";
      for (const line of lines) this.#receive(JSON.parse(line), socket);
    });
  }

  #receive(
    message: Omit<FakeCommand, "outOfBand"> & { "exec-oob"?: string },
    socket: Socket,
  ): void {
    const { "exec-oob": urgent, ...rest } = message;
    const command = { ...rest, execute: urgent ?? rest.execute, outOfBand: urgent !== undefined };
    this.commands.push(command);
    const isNegotiation = command.execute === "qmp_capabilities";
    const value = isNegotiation ? {} : this.answer(command, socket);
    if (value === undefined) return;
    socket.write(`${JSON.stringify({ return: value, id: command.id })}\r\n`);
  }
}
