import { asSojournError, type SojournError } from "../platform/errors.ts";
import { harmlessText } from "./render/terminal.ts";

/** Where a command's words go: sentences for people, or one JSON value a line. */
export interface Output {
  readonly json: boolean;
  /** A line for people; dropped with `--json`. */
  line(text: string): void;
  /** A line for programs; dropped without `--json`. */
  record(value: unknown): void;
  /** What its reader should know although all goes on: `{ "type": "warning", "message" }`, or a line on standard error. */
  warning(message: string): void;
  /** Either of the two, for commands with one result. */
  result(value: unknown, text: () => string): void;
}

/** Standard output of one command: JSON lines, or text for people. */
export function createOutput(json: boolean): Output {
  const write = (text: string) => process.stdout.write(`${text}\n`);
  return {
    json,
    line: (text) => {
      if (!json) write(harmlessText(text));
    },
    record: (value) => {
      if (json) write(JSON.stringify(value));
    },
    warning: (message) => {
      if (json) write(JSON.stringify({ type: "warning", message }));
      else process.stderr.write(`${harmlessText(`warning: ${message}`)}\n`);
    },
    result: (value, text) => {
      write(json ? JSON.stringify(value) : harmlessText(text()));
    },
  };
}

/** Prints an error where its reader looks for it and sets the exit code. */
export function printError(thrown: unknown, json: boolean): void {
  const error = asSojournError(thrown);
  process.exitCode = error.exitCode;
  if (json) process.stdout.write(`${JSON.stringify(error.toRecord())}\n`);
  else process.stderr.write(`${harmlessText(describeError(error))}\n`);
}

/** True when `--json` stands before any `--`. */
export function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end === -1 ? args : args.slice(0, end)).includes("--json");
}

/** A reader that has seen enough (`| head`) ends the command without a complaint. */
export function surviveClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      // A terminal that has been closed says EIO.
      if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
      process.exit(process.exitCode ?? 0);
    });
  }
}

function describeError(error: SojournError): string {
  const lines = [`error: ${error.message} [${error.code}]`];
  if (error.guestState !== null) lines.push(`guest: ${guestStates[error.guestState]}`);
  if (error.hint !== null) lines.push(`hint: ${error.hint}`);
  if (error.code === "SOJ_INTERNAL" && error.cause instanceof Error && error.cause.stack) {
    lines.push(error.cause.stack);
  }
  return lines.join("\n");
}

const guestStates: Record<NonNullable<SojournError["guestState"]>, string> = {
  "running-at-source": "runs at the source",
  "running-at-destination": "runs at the destination",
  "paused-at-source": "is paused at the source",
  untouched: "was not touched",
  lost: "is lost",
  unknown: "its state is not known",
};
