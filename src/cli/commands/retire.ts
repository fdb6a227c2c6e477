import { Command } from "commander";
import type { Retirement } from "../../client/index.ts";
import { ExitCode, preconditionError, SojournError } from "../../platform/errors.ts";
import { createOutput } from "../output.ts";
import { cutsAnybody, describeRetirement } from "../render/retirement.ts";

interface RetireOptions {
  yes?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

export function retireCommand(): Command {
  return new Command("retire")
    .description("end the redirect of a guest that is away for good, and free its old address")
    .argument("<guest>", "guest; here must be its home, or the host where it is")
    .option("--yes", "also when that cuts somebody off")
    .option("--dry-run", "print whom it would cut off, and change nothing")
    .option("--json", "print JSON, errors too")
    .action(retireGuest);
}

async function retireGuest(guest: string, options: RetireOptions): Promise<void> {
  const { createClient } = await import("../../client/index.ts");
  const client = createClient();
  const output = createOutput(options.json ?? false);
  const { yes = false, dryRun = false } = options;
  const known = await client.retireGuest(guest, { confirm: false });
  const print = (retirement: Retirement) =>
    output.result(retirement, () => describeRetirement(retirement));
  if (dryRun || known.state === "retired") return print(known);
  // One that is under way was meant, or decided by the daemon.
  if (!yes && known.state === "described" && cutsAnybody(known)) {
    print(known);
    throw cutting(known);
  }
  const done = await client.retireGuest(guest, { confirm: true });
  print(done);
  if (done.state !== "retired") throw unfinished(done);
}

function cutting({ guest, cut_count: count, renumbered }: Retirement): SojournError {
  const whom =
    renumbered === null
      ? "whoever talks to it"
      : `${count ?? "an unknown number of"} ${count === 1 ? "flow" : "flows"}`;
  return preconditionError(
    "SOJ_RETIRE_CUTS",
    `nothing was changed: retiring ${guest}'s redirect cuts off ${whom}`,
    { guestState: "untouched", hint: `sojourn retire ${guest} --yes` },
  );
}

function unfinished({ guest, host }: Retirement): SojournError {
  return new SojournError(
    "SOJ_RETIRE_UNFINISHED",
    `the redirect of ${guest} is to be retired, but is not yet: ${host} has to answer first`,
    {
      exitCode: ExitCode.inDoubt,
      guestState: "untouched",
      hint: `its home goes on asking by itself; sojourn retire ${guest} asks at once, and tells whether it is done`,
    },
  );
}
