import type { MigrationReport } from "../migrator/report.ts";
import { ExitCode } from "../platform/errors.ts";

/** Exit code that tells a report's outcome and its verdict. */
export function exitCodeOf(report: MigrationReport): ExitCode {
  if (report.outcome !== "completed") return exitCodes[report.outcome];
  return report.within_budget === false ? ExitCode.overBudget : ExitCode.done;
}

const exitCodes: Record<Exclude<MigrationReport["outcome"], "completed">, ExitCode> = {
  "rolled-back": ExitCode.rolledBack,
  "in-doubt": ExitCode.inDoubt,
  cancelled: ExitCode.cancelled,
  "guest-lost": ExitCode.guestLost,
};
