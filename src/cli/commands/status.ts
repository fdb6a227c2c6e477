import { Command } from "commander";
import type { MigrationDetail, MigrationStatus, SojournClient } from "../../client/index.ts";
import { createOutput } from "../output.ts";
import { formatTable } from "../table.ts";

/** How many are listed unless all are asked for. */
const listedMigrations = 100;

export function statusCommand(): Command {
  return new Command("status")
    .description("migrations that this host began, oldest first, or one of them")
    .argument("[id]", "migration")
    .option("--all", "also those before the newest 100")
    .option("--json", "print JSON, errors too")
    .action(async (id: string | undefined, options: { all?: boolean; json?: boolean }) => {
      const { createClient } = await import("../../client/index.ts");
      const client = createClient();
      const output = createOutput(options.json ?? false);
      if (id === undefined) {
        const found = await listMigrations(client, options.all ?? false);
        const note = output.json ? [] : await maintenanceNote(client);
        output.result(found, () => [describeMigrations(found), ...note].join("\n"));
        return;
      }
      const one = await client.getMigration(id);
      output.result(one, () => describeMigration(one));
    });
}

/** What else matters to who looks at a host; a daemon of an earlier release does not tell. */
async function maintenanceNote(client: SojournClient): Promise<string[]> {
  const status = await client.showMaintenance().catch(() => null);
  return status?.on ? [`${status.host} is in maintenance: sojourn maintenance show`] : [];
}

/** All, or the newest and those that have not ended or are in doubt; oldest first. */
async function listMigrations(client: SojournClient, all: boolean): Promise<MigrationStatus[]> {
  if (all) return (await Array.fromAsync(client.eachMigration())).toReversed();
  const { migrations: newest } = await client.listMigrations({}, listedMigrations);
  const known = new Set(newest.map(({ id }) => id));
  const open = await Array.fromAsync(client.eachMigration({ isOpen: true }));
  return [...newest, ...open.filter(({ id }) => !known.has(id))].toReversed();
}

function describeMigration(one: MigrationDetail): string {
  const { error } = one;
  if (error === null) return describeMigrations([one]);
  const hint = error.hint === null ? "" : `\n${error.hint}`;
  return `${describeMigrations([one])}\n${error.code}: ${error.message}${hint}`;
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
