import { join } from "node:path";
import type { Migrations } from "../../migrator/migrations.ts";
import type { PeerCaller, ProcedureHandlers } from "../../platform/procedures.ts";
import { diskStorage } from "../../platform/storage.ts";
import { greet } from "../anchors.ts";
import type { DaemonConfig } from "../config.ts";
import type { GuestPlaces } from "../maintenance/guests-here.ts";
import type { Maintenance } from "../maintenance/maintenance.ts";
import type { EvacuationMetrics } from "../metrics/evacuation-metrics.ts";
import type { procedures } from "../peer-procedures.ts";
import type { DaemonServices } from "../services.ts";
import { evacuationHandlers, evacuationServices } from "./delegation.ts";
import type { HostCapacity } from "./destinations.ts";
import { anchorDestination } from "./errors.ts";
import { Evacuations, type EvacuationsOptions } from "./evacuations.ts";
import { guestsToMove } from "./guests.ts";
import { type LinkOptions, linkBytesPerSecond } from "./link.ts";
import type { evacuationProcedures } from "./procedures.ts";
import type { EvacuationServices } from "./schemas.ts";
import { EvacuationStore } from "./store.ts";

type Peer = PeerCaller<typeof procedures>;

export interface OpenEvacuationsOptions
  extends GuestPlaces,
    Pick<LinkOptions, "routing">,
    Pick<EvacuationsOptions, "isGuestStanding" | "logger"> {
  config: DaemonConfig;
  maintenance: Maintenance;
  migrations: Migrations;
  startMigration: DaemonServices["startMigration"];
  peer: (host: string) => Peer;
  peers: readonly Peer[];
  metrics: EvacuationMetrics;
}

export interface OpenedEvacuations extends AsyncDisposable {
  services: EvacuationServices;
  handlers: ProcedureHandlers<typeof evacuationProcedures>;
  /** Goes on with what an earlier daemon left. */
  begin(): void;
}

/** Evacuations of this host, and its operator's way to those of its peers. */
export function openEvacuations(options: OpenEvacuationsOptions): OpenedEvacuations {
  const { config, maintenance, migrations, startMigration, peer, logger } = options;
  const host = config.host.name;
  const folder = join(config.paths.state, "evacuations");
  const local = new Evacuations({
    ...{ host, migrations, logger, isGuestStanding: options.isGuestStanding },
    store: new EvacuationStore(folder, diskStorage, logger),
    startMigration: async (request, idempotencyKey) =>
      (await startMigration(request, { idempotencyKey })).id,
    capacityOf: (destination) => capacityOf(host, peer(destination)),
    guestsHere: () => guestsToMove(host, options),
    checkPeer: peer,
    // An operator who began it before has said why.
    beginMaintenance: (reason) => maintenance.begin(maintenance.current?.reason ?? reason),
    eventsOf: (id) => migrations.events(id).events,
    linkBytesPerSecond: (to) => linkBytesPerSecond(options, to),
  });
  maintenance.evacuation = () => local.current;
  options.metrics.know(() => local.figures);
  return {
    services: evacuationServices({ host, local, peer, peers: options.peers }),
    handlers: evacuationHandlers(local),
    begin: () => local.begin(),
    [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
  };
}

/** @throws SojournError also `SOJ_HOST_IS_ANCHOR`. */
async function capacityOf(host: string, peer: Peer): Promise<HostCapacity> {
  const [{ role }, capacity] = await Promise.all([greet(host, peer), peer.call("capacity", {})]);
  if (role === "anchor") throw anchorDestination(peer.peer);
  return capacity;
}
