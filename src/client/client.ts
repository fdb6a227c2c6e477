import { type ClientOptions, Connection } from "./connection.ts";
import { type EventClient, eventClient } from "./events.ts";
import { type GuestClient, guestClient } from "./guests.ts";
import { type HostClient, hostClient } from "./host.ts";
import { type InventoryClient, inventoryClient } from "./inventory.ts";
import { type MigrationClient, migrationClient } from "./migrations.ts";

/** All that the API does. */
export interface SojournClient
  extends GuestClient,
    HostClient,
    MigrationClient,
    EventClient,
    InventoryClient {}

/**
 * A client of one daemon's API: the local one's unless `options` name another. Every method throws what the daemon
 * threw as a `SojournError`, or one with the code `SOJ_DAEMON_UNREACHABLE` when nobody answers.
 * @throws SojournError `SOJ_USAGE` for an address that is none.
 */
export function createClient(options: ClientOptions = {}): SojournClient {
  const connection = new Connection(options);
  return {
    ...guestClient(connection),
    ...hostClient(connection),
    ...migrationClient(connection),
    ...eventClient(connection),
    ...inventoryClient((method, path, body) => connection.json({ method, path, body })),
  };
}
