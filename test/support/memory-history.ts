import { type History, newestFirst } from "../../src/migrator/history.ts";
import { isOpen, type StoredMigration } from "../../src/migrator/stored-migration.ts";

/** A history that ends with the process. */
export function memoryHistory(): History {
  const all = new Map<string, StoredMigration>();
  return {
    get: (id) => all.get(id),
    byKey: (key) => [...all.values()].find(({ idempotency }) => idempotency?.key === key),
    list: (limit) => newestFirst([...all.values()], limit),
    open: () => [...all.values()].filter(isOpen),
    put: (stored) => {
      all.set(stored.id, stored);
    },
    [Symbol.dispose]: () => {},
  };
}
