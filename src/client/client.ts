import { type AnchorClient, anchorClient } from "./anchor.ts";
import { type ClientOptions, Connection } from "./connection.ts";
import { environmentOptions } from "./environment.ts";
import { type EvacuationClient, evacuationClient } from "./evacuations.ts";
import { type EventClient, eventClient } from "./events.ts";
import { type GuestClient, guestClient } from "./guests.ts";
import { type HostClient, hostClient } from "./host.ts";
import { type InventoryClient, inventoryClient } from "./inventory.ts";
import { type LibvirtClient, libvirtClient } from "./libvirt.ts";
import { type MaintenanceClient, maintenanceClient } from "./maintenance.ts";
import { type MigrationClient, migrationClient } from "./migrations.ts";
import { type WebhookClient, webhookClient } from "./webhooks.ts";

/** All that the API does. */
export interface SojournClient
  extends GuestClient,
    AnchorClient,
    HostClient,
    MaintenanceClient,
    EvacuationClient,
    MigrationClient,
    EventClient,
    InventoryClient,
    LibvirtClient,
    WebhookClient {}

/**
 * A client of one daemon's API: the local one's unless `options`, or without them `SOJOURN_HOST` and its companions in
 * the environment, name another. Every method throws what the daemon threw as a `SojournError`, or one with the code
 * `SOJ_DAEMON_UNREACHABLE` when nobody answers.
 * @throws SojournError `SOJ_USAGE` for an address that is none, `SOJ_FILE_UNREADABLE` for a file of the environment's.
 */
export function createClient(options: ClientOptions = {}): SojournClient {
  const isNamed = options.url !== undefined || options.socketPath !== undefined;
  const connection = new Connection(
    isNamed ? options : { ...environmentOptions(process.env), ...options },
  );
  return {
    ...guestClient(connection),
    ...anchorClient(connection),
    ...hostClient(connection),
    ...maintenanceClient(connection),
    ...evacuationClient(connection),
    ...migrationClient(connection),
    ...eventClient(connection),
    ...inventoryClient(connection),
    ...libvirtClient(connection),
    ...webhookClient(connection),
  };
}
