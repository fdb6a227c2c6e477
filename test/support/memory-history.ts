import type { History } from "../../src/migrator/history.ts";
import { select } from "../../src/migrator/migration-query.ts";
import { isOpen, type StoredMigration } from "../../src/migrator/stored-migration.ts";

/** A history that ends with the process. */
export function memoryHistory(): History {
  const all = new Map<string, StoredMigration>();
  return {
    get: (id) => all.get(id),
    byKey: (key) => [...all.values()].find(({ idempotency }) => idempotency?.key === key),
    list: (query) => select([...all.values()], query),
    open: () => [...all.values()].filter(isOpen),
    put: (stored) => {
      all.set(stored.id, stored);
    },
    [Symbol.dispose]: () => {},
  };
}
