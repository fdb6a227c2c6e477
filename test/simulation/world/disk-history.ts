import type { History } from "../../../src/migrator/history.ts";
import type { Storage } from "../../../src/platform/storage.ts";
import { memoryHistory } from "../../support/memory-history.ts";

const folder = "/state/migrations";

/** A history on a disk of the simulation: a file for each migration. */
export function diskHistory(storage: Storage): History {
  const history = memoryHistory();
  for (const name of storage.list(folder)) {
    history.put(JSON.parse(String(storage.read(`${folder}/${name}`))));
  }
  return {
    ...history,
    put: (stored) => {
      storage.replace(`${folder}/${stored.id}.json`, JSON.stringify(stored));
      history.put(stored);
    },
  };
}
