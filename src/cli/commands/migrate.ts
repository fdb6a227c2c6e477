import { Command, Option } from "commander";
import type { MigrationRequest } from "../../daemon/services.ts";
import { type PolicyName, policyNames } from "../../migrator/migration-options.ts";
import { strategyNames } from "../../migrator/strategy.ts";
import { usageError } from "../../platform/errors.ts";
import { checkName } from "../../platform/names.ts";
import { tunnelKinds } from "../../tunnels/tunnel.ts";
import {
  collect,
  parseAddressWish,
  parseMilliseconds,
  parseSeconds,
  parseSecondsOrNever,
  parseShare,
  parseStrategy,
} from "../arguments.ts";
import { traceOf } from "../migrate/trace.ts";
import { createOutput } from "../output.ts";

interface MigrateOptions {
  to: string;
  tunnel?: NonNullable<MigrationRequest["tunnel"]>;
  maxOutage?: number;
  timeout?: number;
  strategy?: NonNullable<MigrationRequest["strategy"]>;
  renumber?: string;
  drainIdle?: number;
  drainCap?: number;
  releaseRenumbered?: boolean;
  policy?: PolicyName;
  postCopy?: boolean;
  guestShare?: number;
  probe?: string[] | boolean;
  dryRun?: boolean;
  detach?: boolean;
  idempotencyKey?: string;
  abortOnExit?: boolean;
  json?: boolean;
}

export function migrateCommand(): Command {
  return new Command("migrate")
    .description("move a guest to another host and report how long it was gone")
    .argument("<guest>", "guest")
    .requiredOption("--to <host>", "destination")
    .addOption(new Option("--tunnel <kind>", "tunnel").choices(["auto", ...tunnelKinds]))
    .option("--max-outage <ms>", "longest outage that is within budget", parseMilliseconds)
    .option("--timeout <s>", "give up and roll back after this time", parseSeconds)
    .option(
      "--renumber <address|auto>",
      "new flows use this address of the destination's subnet, or any that is free; established ones keep theirs",
      parseAddressWish,
    )
    .option(
      "--drain-idle <s>",
      "with --renumber: idle flows hold the redirect so long",
      parseSeconds,
    )
    .option(
      "--drain-cap <s>",
      "with --renumber: the redirect goes after so long whoever uses it; 0: never",
      parseSecondsOrNever,
    )
    .option(
      "--release-renumbered",
      "give the address of an earlier --renumber back, and cut the sessions on it",
    )
    .addOption(
      new Option("--policy <policy>", "how hard a busy guest is pressed to move").choices(
        policyNames,
      ),
    )
    .option(
      "--post-copy",
      "if it does not converge, let it run there before all of its memory is: it is lost if that host, or the link for good, fails then",
    )
    .option(
      "--guest-share <percent>",
      "of the link, left to guests' own traffic while it moves",
      parseShare,
    )
    .option("--probe <kind[:port][@node]>", "measure from NODE; may be repeated", collect)
    .option("--no-probe", "measure nothing (in the lab, client measures unless told otherwise)")
    .option(
      "--strategy <name[:delay_ms]>",
      `for benchmarks, all but lossless lose packets: ${strategyNames.join(", ")}:DELAY_MS`,
      parseStrategy,
    )
    .option("--dry-run", "print what would be done, with its undo, and change nothing")
    .option("--detach", "print the migration's id and do not wait")
    .option(
      "--idempotency-key <key>",
      "asked again with the same key, it follows the same migration",
    )
    .option("--abort-on-exit", "cancel it when this command is interrupted or dies")
    .option("--json", "one JSON value a line; the last is the report or an error")
    .action(migrate);
}

/** @throws SojournError `SOJ_USAGE` for options that mean nothing together. */
function addressRequest(options: MigrateOptions): Partial<MigrationRequest> {
  const { renumber, drainIdle, drainCap, releaseRenumbered, strategy } = options;
  if (renumber === undefined && (drainIdle !== undefined || drainCap !== undefined)) {
    throw usageError("--drain-idle and --drain-cap need --renumber: nothing else drains");
  }
  if (renumber !== undefined && strategy !== undefined && strategy.name !== "lossless") {
    throw usageError(`--renumber goes with --strategy lossless, not ${strategy.name}`);
  }
  return {
    ...(renumber === undefined ? {} : { renumber }),
    ...(drainIdle === undefined ? {} : { drain_idle_s: drainIdle }),
    ...(drainCap === undefined ? {} : { drain_cap_s: drainCap }),
    ...(releaseRenumbered ? { release_renumbered: true } : {}),
  };
}

async function migrate(guest: string, options: MigrateOptions): Promise<void> {
  const request: MigrationRequest = {
    guest: checkName("guest", guest),
    to: checkName("host", options.to),
    ...(options.tunnel === undefined ? {} : { tunnel: options.tunnel }),
    ...(options.maxOutage === undefined ? {} : { max_outage_ms: options.maxOutage }),
    ...(options.timeout === undefined ? {} : { timeout_s: options.timeout }),
    ...(options.strategy === undefined ? {} : { strategy: options.strategy }),
    ...addressRequest(options),
    ...(options.policy === undefined ? {} : { policy: options.policy }),
    ...(options.postCopy ? { post_copy: true } : {}),
    ...(options.guestShare === undefined ? {} : { guest_share: options.guestShare }),
  };
  const output = createOutput(options.json ?? false);
  const { printPlan, runMigration, startDetached } = await import("../migrate/run.ts");
  if (options.dryRun) return printPlan(request, output);
  const { checkIdempotencyKey } = await import("../../daemon/idempotency.ts");
  const { idempotencyKey: key, abortOnExit = false } = options;
  const conduct = {
    ...(key === undefined ? {} : { idempotencyKey: checkIdempotencyKey(key) }),
    ...traceOf(process.env),
  };
  if (options.detach) {
    if (options.probe) throw usageError("--probe needs somebody who waits; --detach does not");
    if (abortOnExit) throw usageError("--abort-on-exit contradicts --detach");
    return startDetached(request, conduct, output);
  }
  const { chosenProbes } = await import("../migrate/probe-spec.ts");
  const inLab = (process.env.SOJOURN_LAB ?? "") !== "";
  // Commander puts `true` there because a `--no-` form exists.
  const probe = typeof options.probe === "boolean" && options.probe ? undefined : options.probe;
  const probes = chosenProbes(probe, inLab);
  if (options.maxOutage !== undefined && probes.length === 0) {
    throw usageError(
      "--max-outage needs a probe: nothing else sees an outage",
      "add --probe KIND[:PORT][@NODE]",
    );
  }
  return runMigration({ request, ...conduct, abortOnExit }, probes, output);
}
