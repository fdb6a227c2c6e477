import type { Evacuation, EvacuationGuest } from "../../client/index.ts";
import { ExitCode } from "../../platform/errors.ts";

/** The worst first: what no later one may hide. */
const byGravity: readonly ExitCode[] = [
  ...[ExitCode.guestLost, ExitCode.inDoubt, ExitCode.internal, ExitCode.rolledBack],
  ...[ExitCode.unreachable, ExitCode.precondition, ExitCode.overBudget, ExitCode.cancelled],
];

/**
 * Exit code that tells how an evacuation went: 0 when every guest has left, else that of the guest with the worst end.
 * One that stood longer than `budgetMs` has had an outage over the budget, whoever measures.
 */
export function exitCodeOf(
  { state, guests }: Pick<Evacuation, "state" | "guests">,
  budgetMs?: number,
): ExitCode {
  const found = new Set(guests.map((guest) => codeOf(guest, budgetMs)));
  if (state === "cancelled") found.add(ExitCode.cancelled);
  const worst = byGravity.find((code) => found.has(code));
  return worst ?? (state === "incomplete" ? ExitCode.rolledBack : ExitCode.done);
}

/** Whether a guest that was moved stood for longer than the budget. Pure. */
export function isOverBudget({ blackout_ms }: EvacuationGuest, budgetMs: number): boolean {
  return blackout_ms !== null && blackout_ms > budgetMs;
}

function codeOf(guest: EvacuationGuest, budgetMs: number | undefined): ExitCode {
  switch (guest.state) {
    case "failed": {
      const told = guest.error?.exit_code;
      return byGravity.find((code) => code === told) ?? ExitCode.rolledBack;
    }
    case "cancelled":
      return ExitCode.cancelled;
    case "moved":
      return budgetMs !== undefined && isOverBudget(guest, budgetMs)
        ? ExitCode.overBudget
        : ExitCode.done;
    case "skipped":
    case "queued":
    case "migrating":
      return ExitCode.done;
    default:
      guest.state satisfies never;
      return ExitCode.internal;
  }
}
