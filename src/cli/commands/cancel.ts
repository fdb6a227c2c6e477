import { Command } from "commander";
import { createOutput } from "../output.ts";
import { describeMigrations } from "./status.ts";

export function cancelCommand(): Command {
  return new Command("cancel")
    .description("take a migration back, as long as it has not passed its switchover")
    .argument("<id>", "migration")
    .option("--json", "print JSON, errors too")
    .action(async (id: string, options: { json?: boolean }) => {
      const { createClient } = await import("../../client/index.ts");
      const status = await createClient().cancelMigration(id);
      createOutput(options.json ?? false).result(status, () => describeMigrations([status]));
    });
}
