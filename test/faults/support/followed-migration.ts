import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { MigrationEvent } from "../../../src/daemon/services.ts";
import type { MigrationReport } from "../../../src/migrator/report.ts";
import type { ErrorRecord } from "../../../src/platform/errors.ts";

/** How a followed migration ended: the process's exit code and its last line. */
export interface Ending {
  exitCode: number;
  last: MigrationReport | ErrorRecord;
}

/** A `sojourn migrate` or `watch` whose lines are read as they come. */
export class FollowedMigration {
  readonly lines: MigrationEvent[] = [];
  /** Resolves when the command has ended. */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  #changed = Promise.withResolvers<void>();
  #over = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.ended = this.#follow(child).finally(() => {
      this.#over = true;
      this.#notify();
    });
    this.ended.catch(() => {});
  }

  /** Resolves with the first event that `matches`; rejects when the migration ends without one. */
  async event(matches: (event: MigrationEvent) => boolean): Promise<MigrationEvent> {
    for (;;) {
      const found = this.lines.find(matches);
      if (found !== undefined) return found;
      if (this.#over) throw new Error(`it ended before: ${JSON.stringify(this.lines.at(-1))}`);
      await this.#changed.promise;
    }
  }

  /** Resolves with the migration's id when the phase has been entered. */
  async phase(name: string): Promise<string> {
    const event = await this.event((line) => line.type === "phase" && line.phase === name);
    if (event.type !== "phase") throw new Error("not a phase");
    return event.id;
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.#child.kill("SIGINT");
  }

  /** kill -9. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  hasSeen(phase: string): boolean {
    return this.lines.some((line) => line.type === "phase" && line.phase === phase);
  }

  /** Resolves once memory is on its way. */
  async streaming(): Promise<string> {
    const id = await this.phase("precopy");
    await this.event((line) => line.type === "progress" && line.transferred_bytes > 0);
    return id;
  }

  async #follow(child: ChildProcess): Promise<Ending> {
    let stderr = "";
    child.stderr?.on("data", (data) => {
      stderr += data;
    });
    const closed = once(child, "close");
    if (child.stdout === null) throw new Error("no output to follow");
    for await (const line of createInterface({ input: child.stdout })) {
      this.lines.push(JSON.parse(line) as MigrationEvent);
      this.#notify();
    }
    const [exitCode] = await closed;
    const last = this.lines.at(-1);
    if (last?.type === "report" || last?.type === "error") return { exitCode, last };
    throw new Error(`the last line is not a result (exit ${exitCode}): ${stderr}`);
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}
