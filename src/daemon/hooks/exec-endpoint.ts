import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { GroupProcessResult } from "../../platform/group-process.ts";
import type { Logger } from "../../platform/log.ts";
import { namePattern } from "../../platform/names.ts";
import type { HookEndpoint } from "./endpoint.ts";
import { HookFailure } from "./failure.ts";
import { type HookPayload, hookPayloadSchema } from "./payload.ts";
import { runHookProgram } from "./program.ts";
import type { QuietTimes } from "./quiet-times.ts";
import type { SpooledMessage } from "./spool-rows.ts";

/** A program that ends so is to be run again later (EX_TEMPFAIL of sysexits.h). */
const tryAgainExitCode = 75;

/** Of a program's output, in the log. */
const shownCharacters = 2_000;

export interface ExecOptions {
  folder: string;
  timeoutMs: number;
  quiet: Pick<QuietTimes, "begin">;
  logger: Logger;
}

/** Runs the programs of a folder, in the order of their names, one after the other; none begins while a guest stands. */
export class ExecEndpoint implements HookEndpoint {
  readonly kind = "exec";
  readonly #options: ExecOptions;
  readonly #refused = new Set<string>();

  constructor(options: ExecOptions) {
    this.#options = options;
  }

  /** Names of the programs; none when there is no such folder. */
  async programs(): Promise<string[]> {
    const { folder, logger } = this.#options;
    try {
      return (await readdir(folder)).filter((name) => namePattern.test(name)).toSorted();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") logger.error({ folder, err: error }, "alarm: no hooks can be run");
      return [];
    }
  }

  /**
   * Runs them all, whatever becomes of each.
   * @throws HookFailure `SOJ_HOOK_PROGRAM` when one has failed; a final one unless it wants to be run again later.
   */
  async deliver(message: SpooledMessage, signal: AbortSignal): Promise<number | null> {
    const names = await this.programs();
    const failed: { name: string; exitCode: number | null }[] = [];
    for (const name of names) {
      // The one before may have taken long.
      await this.#options.quiet.begin(signal);
      const result = await this.#run(name, message, signal);
      signal.throwIfAborted();
      if (result?.exitCode !== 0) failed.push({ name, exitCode: result?.exitCode ?? null });
    }
    const [first] = failed;
    if (first === undefined) return names.length === 0 ? null : 0;
    const isFinal = failed.every(({ exitCode }) => exitCode !== tryAgainExitCode);
    throw new HookFailure(
      "SOJ_HOOK_PROGRAM",
      `${failed.map(({ name }) => name).join(", ")} failed${isFinal ? "" : ", to be run again later"}`,
      { isFinal, status: isFinal ? first.exitCode : tryAgainExitCode },
    );
  }

  /** A program's failure is its own: the others are run all the same. Null when it could not be run. */
  async #run(
    name: string,
    { body, type, id }: SpooledMessage,
    signal: AbortSignal,
  ): Promise<GroupProcessResult | null> {
    const { folder, timeoutMs, logger } = this.#options;
    const program = join(folder, name);
    const fields = { program: name, type, message: id };
    try {
      const environment = environmentOf(hookPayloadSchema.parse(JSON.parse(body)));
      const result = await runHookProgram({
        ...{ program, input: body, environment, timeoutMs, signal },
        isBackground: true,
      });
      this.#refused.delete(name);
      this.#tell(result, fields);
      return result;
    } catch (error) {
      if (signal.aborted) return null;
      const isNew = !this.#refused.has(name);
      this.#refused.add(name);
      const text = (error as Error).message;
      if (isNew) logger.error({ ...fields, reason: text }, "alarm: a hook's program is not run");
      return null;
    }
  }

  #tell(result: GroupProcessResult, fields: object): void {
    const { exitCode, endedBy } = result;
    const said = `${result.stdout}\n${result.stderr}`.trim();
    const output = said === "" ? {} : { output: said.slice(0, shownCharacters) };
    if (exitCode === 0) this.#options.logger.info({ ...fields, ...output }, "a hook's program ran");
    else {
      this.#options.logger.warn(
        { ...fields, exitCode, endedBy, ...output },
        "a hook's program failed",
      );
    }
  }
}

/** What programs need without reading JSON. */
export function environmentOf(payload: HookPayload): Record<string, string> {
  const { type, id, host, guest, migration } = payload;
  return {
    SOJOURN_EVENT: type,
    SOJOURN_ID: id,
    SOJOURN_HOST: host,
    SOJOURN_GUEST: guest?.name ?? migration?.guest ?? "",
    SOJOURN_ADDRESSES: guest?.addresses.join(" ") ?? "",
    SOJOURN_RENUMBERED: guest?.renumbered ?? "",
    SOJOURN_HOME: guest?.home ?? "",
    SOJOURN_MIGRATION: migration?.id ?? "",
    SOJOURN_FROM: migration?.from ?? "",
    SOJOURN_TO: migration?.to ?? "",
    SOJOURN_STATE: migration?.state ?? "",
  };
}
