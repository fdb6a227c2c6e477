import { Command } from "commander";
import type { MigrationStatus } from "../../daemon/services.ts";
import { createOutput } from "../output.ts";
import { formatTable } from "../table.ts";

/** More than a daemon remembers. */
const everything = 1_000_000;

export function statusCommand(): Command {
  return new Command("status")
    .description("migrations that this host began, or one of them")
    .argument("[id]", "migration")
    .option("--all", "also those before the newest 100")
    .option("--json")
    .action(async (id: string | undefined, options: { all?: boolean; json?: boolean }) => {
      const { createDaemonClient } = await import("../../daemon/client.ts");
      const client = createDaemonClient();
      const output = createOutput(options.json ?? false);
      if (id === undefined) {
        const all = await client.listMigrations(options.all ? everything : undefined);
        output.result(all, () => describeMigrations(all));
        return;
      }
      const one = await client.getMigration(id);
      output.result(one, () => describeMigrations([one]));
    });
}

/** A table of migrations, one a line. */
export function describeMigrations(migrations: readonly MigrationStatus[]): string {
  const rows = migrations.map((one) => [
    one.id,
    one.guest,
    one.from,
    one.to,
    one.state,
    new Date(one.started_ms).toISOString(),
  ]);
  return formatTable(["ID", "GUEST", "FROM", "TO", "STATE", "STARTED"], rows);
}
