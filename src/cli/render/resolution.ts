import type { ResolutionResult } from "../../daemon/services.ts";
import { formatTable } from "../table.ts";

/** What is known of a migration in doubt, and what a decision about it would do. */
export function describeResolution(resolution: ResolutionResult): string {
  const { id, guest, keep, here, there, unreachable, refusal, steps } = resolution;
  const hosts = there === null ? [here] : [here, there];
  const lines = [`migration ${id} of ${guest}`, ""];
  for (const { host, run_state: state, held } of hosts) {
    const process = state === "none" ? "no process of the guest" : `its process says ${state}`;
    lines.push(`${host}: ${process}${held ? "; the journal is damaged" : ""}`);
  }
  if (there === null) lines.push(`the other host: ${unreachable}`);
  const rows = hosts.flatMap(({ host, journal }) =>
    journal.map(({ at, role, step, epoch }) => [at, host, role, step, String(epoch)]),
  );
  lines.push("", formatTable(["TIME", "HOST", "ROLE", "STEP", "EPOCH"], rows), "");
  if (refusal !== null) return [...lines, `--keep ${keep} is refused: ${refusal}`].join("\n");
  lines.push(`--keep ${keep}:`, ...steps.map((step, index) => `  ${index + 1}. ${step}`));
  return lines.join("\n");
}
