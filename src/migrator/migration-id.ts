import { randomBytes } from "node:crypto";

/** A new migration's id: short, unguessable, allowed as a name. */
export function newMigrationId(): string {
  return `m${randomBytes(6).toString("hex")}`;
}
