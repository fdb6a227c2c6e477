import { Command, Option } from "commander";
import type { EvacuationRequest } from "../../client/index.ts";
import { type PolicyName, policyNames } from "../../migrator/migration-options.ts";
import { usageError } from "../../platform/errors.ts";
import { checkName } from "../../platform/names.ts";
import { parseCount, parseMilliseconds, parseSeconds, parseShare } from "../arguments.ts";
import { createOutput } from "../output.ts";

interface EvacuateOptions {
  to: string[];
  parallel?: number;
  perLink?: number;
  policy?: PolicyName;
  postCopy?: boolean;
  guestShare?: number;
  timeout?: number;
  maxOutage?: number;
  dryRun?: boolean;
  detach?: boolean;
  abortOnExit?: boolean;
  json?: boolean;
}

export function evacuateCommand(): Command {
  return new Command("evacuate")
    .description("move all guests away from a host, which is in maintenance from then on")
    .argument("<host>", "host that is to be emptied: this one, or a peer")
    .requiredOption("--to <host...>", "where its guests may go; may be repeated")
    .option("--parallel <n>", "so many leave at once (default: 2)", parseCount)
    .option("--per-link <n>", "so many of them go to one host at once (default: 1)", parseCount)
    .addOption(
      new Option("--policy <policy>", "how hard a busy guest is pressed to move").choices(
        policyNames,
      ),
    )
    .option(
      "--post-copy",
      "a guest that does not converge runs there before all of its memory is: it is lost if that host, or the link for good, fails then",
    )
    .option(
      "--guest-share <percent>",
      "of the link, left to guests' own traffic while others move",
      parseShare,
    )
    .option("--timeout <s>", "of each guest's migration, which is rolled back then", parseSeconds)
    .option(
      "--max-outage <ms>",
      "of each guest; one that stands for longer is told, with exit code 8 (sessions are not measured)",
      parseMilliseconds,
    )
    .option("--dry-run", "print which guest would go where, and change nothing")
    .option("--detach", "print the evacuation's id and do not wait")
    .option("--abort-on-exit", "cancel it, and what is under way, when this command is interrupted")
    .option("--json", "one JSON value a line; the last is the evacuation or an error")
    .action(evacuate);
}

async function evacuate(name: string, options: EvacuateOptions): Promise<void> {
  const host = checkName("host", name);
  const wanted = {
    host,
    request: requestOf(options),
    abortOnExit: options.abortOnExit ?? false,
  };
  const output = createOutput(options.json ?? false);
  const { printPlan, runEvacuation, startDetached } = await import("../evacuate/run.ts");
  if (options.dryRun) return printPlan(wanted, output);
  if (!options.detach) return runEvacuation(wanted, output);
  if (wanted.abortOnExit) throw usageError("--abort-on-exit contradicts --detach");
  return startDetached(wanted, output);
}

/** @throws SojournError `SOJ_USAGE` for a host that is named twice, or a name that is none. */
function requestOf(options: EvacuateOptions): EvacuationRequest {
  const to = options.to.flatMap((text) => text.split(",")).map((one) => checkName("host", one));
  if (new Set(to).size !== to.length) throw usageError("--to names a host twice");
  const { parallel, perLink, policy, guestShare, timeout, maxOutage } = options;
  return {
    to,
    ...(parallel === undefined ? {} : { parallel }),
    ...(perLink === undefined ? {} : { parallel_per_link: perLink }),
    ...(policy === undefined ? {} : { policy }),
    ...(options.postCopy ? { post_copy: true } : {}),
    ...(guestShare === undefined ? {} : { guest_share: guestShare }),
    ...(timeout === undefined ? {} : { timeout_s: timeout }),
    ...(maxOutage === undefined ? {} : { max_outage_ms: maxOutage }),
  };
}
