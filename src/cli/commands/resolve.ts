import { Command, Option } from "commander";
import type { Decision, ResolutionResult } from "../../daemon/services.ts";
import { ExitCode, preconditionError, SojournError, usageError } from "../../platform/errors.ts";
import { createOutput, type Output } from "../output.ts";
import { describeResolution } from "../render/resolution.ts";

interface ResolveOptions {
  keep: Decision["keep"];
  yes?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

export function resolveCommand(): Command {
  return new Command("resolve")
    .description(
      "decide where the guest of a migration in doubt goes on, for a host that is fenced or gone",
    )
    .argument("<id>", "migration")
    .addOption(
      new Option("--keep <side>", "the side whose copy goes on")
        .choices(["source", "destination"])
        .makeOptionMandatory(),
    )
    .option("--dry-run", "print what is known and what would be done, and change nothing")
    .option("--yes", "do not ask for confirmation")
    .option("--json", "print JSON, errors too")
    .action(resolveMigration);
}

async function resolveMigration(id: string, options: ResolveOptions): Promise<void> {
  const { createClient } = await import("../../client/index.ts");
  const client = createClient();
  const output = createOutput(options.json ?? false);
  const { keep, yes = false, dryRun = false } = options;
  const known = await client.resolveMigration(id, { keep, confirm: false });
  if (dryRun || known.refusal !== null || !output.json) {
    output.result(known, () => describeResolution(known));
  }
  if (dryRun) return;
  if (known.refusal !== null) throw refused(known, known.refusal);
  if (!yes) await confirm(known, output);
  const done = await client.resolveMigration(id, { keep, confirm: true });
  printResult(done, output);
}

/** @throws SojournError `SOJ_CONFIRMATION_NEEDED` (exit code 2) unless the guest's name is typed. */
async function confirm({ id, guest, keep }: ResolutionResult, output: Output): Promise<void> {
  if (!output.json && process.stdin.isTTY && process.stdout.isTTY) {
    const { createInterface } = await import("node:readline/promises");
    using lines = createInterface({ input: process.stdin, output: process.stdout });
    const answer = await lines.question(`type ${guest} to keep it at the ${keep}: `);
    if (answer.trim() === guest) return;
  }
  throw usageError(
    `nothing was decided about ${guest}: it was not confirmed`,
    `sojourn resolve ${id} --keep ${keep} --yes`,
    "SOJ_CONFIRMATION_NEEDED",
  );
}

function printResult(done: ResolutionResult, output: Output): void {
  const { id, guest, keep, status } = done;
  const isDone = status === null || (status.ended_ms !== null && status.state !== "in-doubt");
  output.result(
    done,
    () => `${guest} is kept at the ${keep}; migration ${id}: ${status?.state ?? "over"}`,
  );
  if (isDone) return;
  throw new SojournError("SOJ_RESOLVE_UNFINISHED", `the decision about ${guest} is not done yet`, {
    exitCode: ExitCode.inDoubt,
    migration: id,
    hint: `sojourn watch ${id}`,
  });
}

function refused({ id, guest, keep }: ResolutionResult, reason: string): SojournError {
  return preconditionError(
    "SOJ_RESOLVE_REFUSED",
    `${guest} is not kept at the ${keep}: ${reason}`,
    {
      migration: id,
    },
  );
}
