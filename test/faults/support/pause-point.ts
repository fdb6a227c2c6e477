import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { JournalStep } from "../../../src/migrator/journal-record.ts";
import { said } from "../../support/sojourn-process.ts";
import type { FaultHosts } from "./fault-hosts.ts";

const sources = join(import.meta.dirname, "..", "..", "..", "src", "migrator");
const program = join(import.meta.dirname, "programs", "pause-at.ts");

/** A line of src/migrator, found by its text wherever it is, and when to stop there. */
export interface CodePlace {
  text: string;
  /** An expression in the line's scope. */
  condition: string;
}

/** Before the record of this step is written. */
export function beforeRecord(step: JournalStep): CodePlace {
  return atJournal("bytes: encodeRecord(complete)", step);
}

/** After the record is durable and before its effect. */
export function afterRecord(step: JournalStep): CodePlace {
  return atJournal("this.#records.push(complete)", step);
}

function atJournal(text: string, step: JournalStep): CodePlace {
  return { text, condition: `complete.step === "${step}"` };
}

/**
 * A place at which a host's daemon stands still, whole, as a process that was stopped does: to be killed there, or
 * to go on when this is disposed of.
 */
export class PausePoint implements AsyncDisposable {
  /** Resolves when the daemon stands there. */
  readonly reached: Promise<void>;
  readonly #helper: ChildProcess;

  private constructor(helper: ChildProcess) {
    this.#helper = helper;
    this.reached = said(helper, "paused");
    this.reached.catch(() => {});
  }

  static async set(fault: FaultHosts, host: string, place: CodePlace): Promise<PausePoint> {
    const { file, line } = find(place.text);
    const args = [`${fault.daemonOn(host)}`, file, `${line}`, place.condition];
    const helper = fault.spawn(host, [process.execPath, program, ...args], "pipe");
    const point = new PausePoint(helper);
    await said(helper, "ready");
    return point;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#helper.exitCode !== null) return;
    const ended = once(this.#helper, "exit");
    this.#helper.stdin?.end();
    await ended;
  }
}

function find(text: string): { file: string; line: number } {
  const names = readdirSync(sources, { recursive: true, encoding: "utf8" });
  for (const name of names.filter((one) => one.endsWith(".ts"))) {
    const lines = readFileSync(join(sources, name), "utf8").split("\n");
    const line = lines.findIndex((one) => one.includes(text));
    if (line >= 0) return { file: `src/migrator/${name}`, line };
  }
  throw new Error(`src/migrator has no line with ${text}`);
}
