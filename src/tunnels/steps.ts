import type { runCommand } from "../platform/command.ts";
import type { PlanLine } from "../platform/plan-line.ts";
import { tunnelFailed } from "./errors.ts";

/** How commands are run; tests pass one that enters a network namespace. */
export type Run = typeof runCommand;

/** One change, with the line that a person would type for it. */
export interface Action {
  text: string;
  perform(): Promise<unknown>;
}

/** A change and the one that takes it back; null when an earlier step's undo does that too. */
export interface Step {
  action: Action;
  undo: Action | null;
}

/** An action that is a single command. */
export function command(run: Run, program: string, ...args: string[]): Action {
  return { text: [program, ...args].join(" "), perform: () => run(program, args) };
}

/**
 * Performs the steps in order; when one fails, those before it are undone in reverse.
 * @throws SojournError `SOJ_TUNNEL_FAILED` that says what could not be undone.
 */
export async function performSteps(what: string, steps: readonly Step[]): Promise<void> {
  const undos: Action[] = [];
  for (const step of steps) {
    try {
      await step.action.perform();
    } catch (error) {
      throw tunnelFailed(what, error, await performUndos(undos));
    }
    if (step.undo !== null) undos.unshift(step.undo);
  }
}

/** The same steps as a person reads them. */
export function planLines(steps: readonly Step[]): PlanLine[] {
  return steps.map(({ action, undo }) => ({ command: action.text, undo: undo?.text ?? null }));
}

async function performUndos(undos: readonly Action[]): Promise<string[]> {
  const left: string[] = [];
  for (const undo of undos) {
    await undo.perform().catch(() => left.push(undo.text));
  }
  return left;
}
