import { Command } from "commander";
import type { MaintenanceStatus, SojournClient } from "../../client/index.ts";
import { usageError } from "../../platform/errors.ts";
import { createOutput } from "../output.ts";

interface MaintenanceOptions {
  reason?: string;
  json?: boolean;
}

export function maintenanceCommand(): Command {
  const maintenance = new Command("maintenance").description(
    "whether this host takes guests: in maintenance none starts or arrives",
  );
  maintenance
    .command("on")
    .description("begin it; guests that run here run on, and may leave")
    .option("--reason <text>", "for those who look at it later")
    .option("--json", "print JSON, errors too")
    .action(async ({ reason, json }: MaintenanceOptions) => {
      if (reason === "") throw usageError("--reason is empty", "leave it out where there is none");
      const wanted = { on: true, ...(reason === undefined ? {} : { reason }) };
      print(await (await connect()).setMaintenance(wanted), json);
    });
  maintenance
    .command("off")
    .description("end it: guests may start and arrive again")
    .option("--json", "print JSON, errors too")
    .action(async ({ json }: MaintenanceOptions) => {
      print(await (await connect()).setMaintenance({ on: false }), json);
    });
  maintenance
    .command("show")
    .description("whether it is on, and which guests the host still has")
    .option("--json", "print JSON, errors too")
    .action(async ({ json }: MaintenanceOptions) => {
      print(await (await connect()).showMaintenance(), json);
    });
  return maintenance;
}

function print(status: MaintenanceStatus, json = false): void {
  createOutput(json).result(status, () => describeMaintenance(status));
}

/** As sentences, one a line. */
export function describeMaintenance(status: MaintenanceStatus): string {
  const { host, on, since_ms, reason, guests, arriving, home_of } = status;
  const since = since_ms === null ? "" : ` since ${new Date(since_ms).toISOString()}`;
  const why = reason === null ? "" : ` (${reason})`;
  const head = on ? `${host} is in maintenance${since}${why}` : `${host} takes guests`;
  return [
    head,
    guests.length === 0 ? "no guest runs here" : `guests here: ${guests.join(", ")}`,
    ...(arriving.length === 0 ? [] : [`on their way here: ${arriving.join(", ")}`]),
    ...(home_of.length === 0
      ? []
      : [`elsewhere, with their traffic through this host: ${home_of.join(", ")}`]),
  ].join("\n");
}

async function connect(): Promise<SojournClient> {
  return (await import("../../client/index.ts")).createClient();
}
