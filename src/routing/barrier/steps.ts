import { runCommand } from "../../platform/command.ts";
import { runLines } from "../batch.ts";

/** A line and, unless something else's removal includes it, the line that takes it back. */
export interface Step {
  run: readonly string[];
  undo?: readonly string[];
  /** For the program's standard input. */
  input?: string;
  /** Lines of `run`, which is `ip` or `bridge` with options, that need no undo; see `runLines`. */
  lines?: readonly (readonly string[])[];
}

/**
 * Runs the steps in order.
 * @returns a stack whose disposal undoes them in reverse.
 * @throws CommandError the failing step's; those before it are undone first.
 */
export async function runSteps(steps: readonly Step[]): Promise<AsyncDisposableStack> {
  await using made = new AsyncDisposableStack();
  for (const { run, undo, input, lines } of steps) {
    if (lines === undefined) await runLine(run, input);
    else await runLines(run, lines);
    if (undo !== undefined) made.defer(() => removeQuietly(undo));
  }
  return made.move();
}

/** Runs a removal; what is gone already is fine. */
export async function removeQuietly(line: readonly string[]): Promise<void> {
  await runCommand(line[0] ?? "", line.slice(1), { acceptExitCodes: [1, 2, 254, 255] });
}

async function runLine(line: readonly string[], input: string | undefined): Promise<void> {
  await runCommand(line[0] ?? "", line.slice(1), input === undefined ? {} : { input });
}
