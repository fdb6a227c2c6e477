import { Command } from "commander";
import { createOutput } from "../output.ts";
import { describeMigrations } from "./status.ts";

export function cancelCommand(): Command {
  return new Command("cancel")
    .description("take a migration back, as long as it has not passed its switchover")
    .argument("<id>", "migration")
    .option("--json")
    .action(async (id: string, options: { json?: boolean }) => {
      const { createDaemonClient } = await import("../../daemon/client.ts");
      const status = await createDaemonClient().cancelMigration(id);
      createOutput(options.json ?? false).result(status, () => describeMigrations([status]));
    });
}
