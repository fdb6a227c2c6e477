import { cp, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SqliteHistory } from "../../migrator/sqlite-history.ts";
import { createLogger } from "../../platform/log.ts";
import { readGuestRecords } from "../doctor/leftovers.ts";
import { removed } from "./secrets.ts";

const newest = 50;
const mostBytes = 64 * 1024 * 1024;

/**
 * The newest migrations with their reports and errors, from a copy of the history: the daemon alone may have the
 * original open, and it is read the same whether that runs or not.
 * @throws the system's error; Error when the history is too large to copy.
 */
export async function recentMigrations(stateFolder: string): Promise<unknown[]> {
  const path = join(stateFolder, "history.sqlite");
  const found = await stat(path).catch(() => null);
  if (found === null) return [];
  if (found.size > mostBytes) throw new Error(`${path} is larger than ${mostBytes} bytes`);
  const scratch = await mkdtemp(join(tmpdir(), "sojourn-history-"));
  try {
    const copy = join(scratch, "history.sqlite");
    await cp(path, copy);
    await cp(`${path}-wal`, `${copy}-wal`).catch(() => {});
    using history = new SqliteHistory(copy, createLogger("silent"));
    return history.list({ limit: newest }).map((summary) => {
      const { report = null, error = null } = history.get(summary.id) ?? {};
      return { ...summary, report, error };
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Where this host's guests are, without what their owners have written into their definitions. */
export async function guestRecords(stateFolder: string): Promise<unknown> {
  const records = await readGuestRecords(stateFolder);
  if (records === null) return "a record cannot be read";
  return records.map((record) => {
    const {
      append,
      extra_arguments: extra,
      qemu_arguments: carried,
      ...definition
    } = record.definition;
    const hidden = {
      ...(append === undefined ? {} : { append: removed }),
      extra_arguments: extra.map(() => removed),
      ...(carried === undefined ? {} : { qemu_arguments: carried.map(() => removed) }),
    };
    return { ...record, definition: { ...definition, ...hidden } };
  });
}
