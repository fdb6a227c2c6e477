import { CommandError, runCommand } from "../platform/command.ts";

/** A batch that failed, as the failure of its line. */
export class BatchError extends CommandError {
  /** Lines before it, which were executed; null when it is not known which one failed. */
  readonly done: number | null;

  constructor(program: readonly string[], lines: readonly string[], error: CommandError) {
    const [said = "", number] = failedLine.exec(error.stderr) ?? [];
    const index = number === undefined ? null : Number(number) - 1;
    const line = lines[index ?? lines.length] ?? `-batch (${lines.join("; ")})`;
    const reason = error.stderr.slice(0, error.stderr.length - said.length);
    super([...program, line].join(" "), error.childExitCode, reason, error.message);
    this.done = index;
  }
}

/** How iproute2 ends what it says of a batch (lib/utils.c, do_batch). */
const failedLine = /\s*Command failed -:(\d+)\s*$/;

/**
 * Runs lines of `ip` or `bridge` in one process: to start one takes longer than what it does. The first that fails
 * ends it.
 * @param program with its options, such as `ip -n NAMESPACE`.
 * @param lines words without blanks and quotes.
 * @throws BatchError
 */
export async function runLines(
  program: readonly string[],
  lines: readonly (readonly string[])[],
): Promise<void> {
  const texts = lines.map((words) => words.join(" "));
  const [name = "", ...options] = program;
  try {
    await runCommand(name, [...options, "-batch", "-"], { input: `${texts.join("\n")}\n` });
  } catch (error) {
    throw error instanceof CommandError ? new BatchError(program, texts, error) : error;
  }
}
