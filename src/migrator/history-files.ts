import { join } from "node:path";
import type { Logger } from "../platform/log.ts";
import type { Storage } from "../platform/storage.ts";
import type { History } from "./history.ts";
import type { StoredMigration } from "./stored-migration.ts";

/**
 * Takes the history that earlier releases kept as a folder of JSON files into `history`, once: a file goes when what
 * it says is stored. One that is damaged, or finds no room, stays for the next start.
 */
export function importHistoryFiles(
  folder: string,
  storage: Storage,
  history: History,
  logger: Logger,
): void {
  storage.makeFolder(folder);
  for (const name of storage.list(folder).filter((file) => file.endsWith(".json"))) {
    const path = join(folder, name);
    try {
      const stored: StoredMigration = JSON.parse(String(storage.read(path)));
      if (history.get(stored.id) === undefined) history.put(stored);
      storage.remove(path);
    } catch (error) {
      logger.warn({ path, err: error }, "this part of an earlier release's history is left out");
    }
  }
}
