import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import type { ProberMessage } from "./messages.ts";

/** A parent that does not read for so long is gone or stopped; the oldest figures are then of no use. */
const maxPendingBytes = 4 * 1024 * 1024;

/** The prober's way to its parent: one JSON object a line, never waiting for the reader. */
export class SessionOutput {
  readonly #stream: NodeJS.WritableStream & { writableLength: number };

  constructor() {
    this.#stream = openStandardOutput();
    this.#stream.on("error", () => process.exit(0));
  }

  send(message: ProberMessage): void {
    if (this.#stream.writableLength > maxPendingBytes) process.exit(0);
    this.#stream.write(`${JSON.stringify(message)}\n`);
  }

  /** Sends what is pending and ends the process. */
  exit(exitCode: number): void {
    setTimeout(() => process.exit(exitCode), 2000).unref();
    this.#stream.end(() => process.exit(exitCode));
  }
}

/** `process.stdout` writes to pipes synchronously: a reader that pauses would pause the measurement. */
function openStandardOutput() {
  const status = fstatSync(1);
  if (!status.isFIFO() && !status.isSocket()) return process.stdout;
  return new Socket({ fd: 1, readable: false, writable: true });
}
