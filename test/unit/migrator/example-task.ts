import { usualOptions } from "../../../src/migrator/migration-options.ts";
import type { MigrationTask } from "../../../src/migrator/source-context.ts";
import { lossless } from "../../../src/migrator/strategy.ts";

/** A migration that a test's source carries out. */
export const task: MigrationTask = {
  id: "m1",
  guest: "web1",
  epoch: 3,
  to: "host-b",
  toUnderlayAddress: "172.16.2.2",
  tunnelKind: "ipip",
  deadlineMs: 60_000,
  strategy: lossless,
  options: usualOptions,
};
