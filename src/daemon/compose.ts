import { join } from "node:path";
import { Adoptions } from "../migrator/adoptions.ts";
import { Anchors } from "../migrator/anchors.ts";
import { Destinations } from "../migrator/destinations.ts";
import { forgetFlows } from "../migrator/forget-flows.ts";
import { tellHomeOfEnd } from "../migrator/guest-ended.ts";
import { GuestShares } from "../migrator/guest-share-links.ts";
import { Guests } from "../migrator/guests.ts";
import { importHistoryFiles } from "../migrator/history-files.ts";
import { HomeDuties } from "../migrator/home-duties.ts";
import { HomeTeller } from "../migrator/home-teller.ts";
import type { HostContext } from "../migrator/host-context.ts";
import { HostNetwork } from "../migrator/host-network.ts";
import { Journal } from "../migrator/journal.ts";
import { holdDamaged } from "../migrator/journal-holds.ts";
import { Migrations } from "../migrator/migrations.ts";
import type { HostFacts } from "../migrator/network.ts";
import { NetworkKeeper } from "../migrator/network-keeper.ts";
import { Notices } from "../migrator/notices.ts";
import { RecordStore } from "../migrator/record-store.ts";
import { recoverHost } from "../migrator/recovery.ts";
import { Resolutions } from "../migrator/resolutions.ts";
import type { SourceContext } from "../migrator/source-context.ts";
import { SqliteHistory } from "../migrator/sqlite-history.ts";
import type { Logger } from "../platform/log.ts";
import type { PeerCaller, ProcedureHandlers } from "../platform/procedures.ts";
import { diskStorage } from "../platform/storage.ts";
import { unsentBytes } from "../platform/unsent-bytes.ts";
import { waitAtMost } from "../platform/waiting.ts";
import { removeBarrierLeftovers } from "../routing/barrier/index.ts";
import { KernelFlowTable } from "../routing/flows/kernel-flow-table.ts";
import { openRoutingPlane } from "../routing/plane.ts";
import { openKernelWatch } from "../routing/watch/kernel-watch.ts";
import { createTunnels } from "../tunnels/tunnels.ts";
import { GuestAdoption } from "./adoption/adoption.ts";
import { greet, greetPeers, openAnchor } from "./anchors.ts";
import { openBenchmarks } from "./benchmarks/open.ts";
import type { DaemonConfig } from "./config.ts";
import { delegationHandlers } from "./delegation.ts";
import { nameTeller } from "./dns/name-teller.ts";
import { openGuestNames } from "./dns/open-names.ts";
import { Doctor } from "./doctor/services.ts";
import { KnownDomains } from "./domains/known-domains.ts";
import { ReturningGuests } from "./domains/returning-guests.ts";
import { drainTeller } from "./drain-teller.ts";
import { createDrains } from "./drains.ts";
import { openEvacuations } from "./evacuation/open.ts";
import { EventFeed } from "./event-feed.ts";
import { tracksFlows } from "./flow-tracking.ts";
import { openGates } from "./gates/open-gates.ts";
import { createHooks } from "./hooks/compose-hooks.ts";
import { TargetPolicy } from "./hooks/targets.ts";
import { createHostServices } from "./host-services.ts";
import { openHypervisors } from "./hypervisors.ts";
import { IdempotentStarts } from "./idempotency.ts";
import { untilCalm } from "./inventory/calm-reader.ts";
import { createInventory } from "./inventory/inventory.ts";
import { LibvirtHooks } from "./libvirt-hooks/answer.ts";
import { followHandlers } from "./libvirt-hooks/followed.ts";
import { Lifelines } from "./lifelines.ts";
import { Maintenance } from "./maintenance/maintenance.ts";
import { openMaintenance } from "./maintenance/open.ts";
import type { DaemonMetrics } from "./metrics/daemon-metrics.ts";
import { timedStorage } from "./metrics/timed-storage.ts";
import { policyOf } from "./migration-policy.ts";
import { MigrationStarter } from "./migration-starter.ts";
import { statusOf } from "./migration-status.ts";
import { Mirrors } from "./mirrors.ts";
import { observe } from "./observe.ts";
import { openLanPresence } from "./open-lan-presence.ts";
import { peerLookup } from "./peer-lookup.ts";
import type { procedures } from "./peer-procedures.ts";

import { PeerRoles } from "./peer-roles.ts";
import { baseHandlers } from "./procedures.ts";
import { drainOf } from "./renumber-request.ts";

import type { DaemonServices } from "./services.ts";
import { DigestMemory, storageHandlers } from "./storage/host-storage.ts";
import { requireStorage } from "./storage/storage-check.ts";
import { prepareUnderlays } from "./underlays.ts";

export interface DaemonContext {
  config: DaemonConfig;
  logger: Logger;
  peers: ReadonlyMap<string, PeerCaller<typeof procedures>>;
  metrics: DaemonMetrics;
}

export interface ComposedDaemon extends AsyncDisposable {
  services: DaemonServices;
  handlers: ProcedureHandlers<typeof procedures>;
  /** Migrations that leave this host just now, and whether a guest stands: one that leaves, or one that arrives. */
  underWay(): { count: number; isGuestStanding: boolean };
}

/** How long the check of a guest's storage waits for another guest that stands. */
const longestCalmMs = 1_000;

/** How long a daemon that is told to end waits for migrations that it may not cancel any more. */
const windDownMs = 20_000;

/**
 * Puts the rooms together for one host. Called once, when the addresses are taken and before anybody is
 * answered, so that what an earlier daemon left unfinished is looked at first. Disposing lets go; guests are not touched.
 */
export async function composeDaemon(context: DaemonContext): Promise<ComposedDaemon> {
  const { config, logger, metrics } = context;
  await using stack = new AsyncDisposableStack();
  const host: HostFacts = {
    name: config.host.name,
    role: config.host.role ?? "host",
    underlayAddress: config.host.underlayAddress,
    streamAddress: config.migration.address,
    guestNetworks: config.guestNetworks,
    tracksFlows: await tracksFlows(config, logger),
  };
  const peer = peerLookup(config.host.name, context.peers);
  const journalPath = join(config.paths.state, "journal");
  const storage = timedStorage(diskStorage, metrics.journal);
  const journal = stack.use(new Journal(journalPath, storage));
  const records = new RecordStore(join(config.paths.state, "guests"));
  holdDamaged(journal, records, logger);
  const tunnels = createTunnels();
  // Remembered kernel values mean nothing after a reboot: they live where a reboot clears them.
  const routing = stack.use(await openRoutingPlane({ logger, stateFolder: config.paths.run }));
  const network = new HostNetwork(host, tunnels, routing, records, logger);
  const { hypervisor, libvirt } = await openHypervisors(config, logger);
  if (libvirt !== null) stack.use(libvirt);
  const roles = new PeerRoles(config.paths.state, logger);
  const anchors = new Anchors({
    ...{ host, network, records, journal, peer },
    greetPeers: () => greetPeers(host.name, context.peers.values(), roles),
    tunnelKind: async () => (await tunnels.choose(config.migration.tunnel)).kind,
  });
  const maintenance = new Maintenance(config.paths.state, logger);
  metrics.maintenance.know(maintenance);
  const guests = new Guests({
    ...{ host, hypervisor, network, records, anchors, maintenance, logger },
    definitionsFolder: config.paths.guests,
  });
  guests.onEnded = async (record) => {
    if (record.home.host === host.name) return;
    await forgetFlows(shared, record);
    await tellHomeOfEnd({ homes, peer }, record);
  };
  const flows = stack.use(new KernelFlowTable());
  const homes = stack.use(new HomeTeller({ records, network, peer, logger }));
  const shared: HostContext = {
    ...{ host, guests, network, records, journal, flows, logger, homes, maintenance },
  };
  if (libvirt !== null && config.libvirt !== null) shared.domains = libvirt;
  const gates = openGates(config.gates, {
    policy: new TargetPolicy(config.hooks.allow_targets),
    logger,
  });
  const policy = policyOf(config);
  const shares = new GuestShares(routing, policy.linkBytesPerSecond, logger);
  const source: SourceContext = { ...shared, peer, policy, gates, shares, unsentBytes };
  const destinations = stack.use(new Destinations(shared));
  const history = stack.use(new SqliteHistory(join(config.paths.state, "history.sqlite"), logger));
  importHistoryFiles(join(config.paths.state, "migrations"), diskStorage, history, logger);
  const feed = new EventFeed(logger);
  const migrations = new Migrations(source, history, (migration, event) =>
    feed.publish({ migration: statusOf(migration), event }),
  );
  const isGuestStanding = () => migrations.underWay().isGuestStanding || network.isGuestExpected;
  const observation = stack.use(
    observe({
      ...{ metrics, guests, records, journal, migrations, feed, isGuestStanding },
      hostName: host.name,
      ...{ peers: [...context.peers.values()], roles },
    }),
  );
  stack.use(openLanPresence({ host, records, routing, logger, isBusy: isGuestStanding }));
  const starts = new IdempotentStarts(migrations);
  const mirrors = stack.use(new Mirrors(host.name, peer, migrations));
  const notices = stack.use(new Notices(source));
  const resolutions = new Resolutions({ context: source, migrations, destinations, notices });
  const digests = new DigestMemory();
  // A process more would be felt by a guest that stands, but one that stands for long keeps no other from moving.
  const calm = () =>
    waitAtMost(
      longestCalmMs,
      untilCalm(isGuestStanding).catch(() => {}),
    );
  const starter = new MigrationStarter({
    ...{ config, context: source, migrations, tunnels, peer },
    storage: async (definition, open, to) => {
      await calm();
      return await requireStorage(definition, open, { host: host.name, peer: peer(to), digests });
    },
  });
  const hooks = stack.use(
    createHooks({ config, feed, migrations, records, isGuestStanding, logger }),
  );
  metrics.hooks.know(() => hooks.figures());
  const doctor = stack.use(
    new Doctor({ config, tunnels, network, records, peer, isGuestStanding, maintenance, logger }),
  );

  const isArriving = (guest: string) => destinations.isArriving(guest);
  const isLeaving = (guest: string) => starter.isLeaving(guest);
  const underlayAddressOf = async (name: string) =>
    (await greet(host.name, peer(name))).underlay_address;
  const isRunning = (id: string) => migrations.isRunning(id);
  const homeDuties = stack.use(
    new HomeDuties({
      ...{ ...shared, peer, isArriving, isRunning, underlayAddressOf },
      drainOf: (guest) => drainOf(guest, config),
    }),
  );
  const anchor = stack.use(
    openAnchor({
      ...{ context: shared, peer, isArriving, isLeaving, underlayAddressOf },
      ...{ stateFolder: config.paths.state, examinePeer: doctor.services.examinePeer },
    }),
  );
  const { drains, retirements } = createDrains({
    ...{ host, records, network, journal, logger, flows, peer, isGuestStanding },
    ...{ isArriving, isLeaving },
    tell: drainTeller({ hostName: host.name, feed, migrations }),
  });
  stack.use(drains);
  metrics.drains.know(drains);
  await recoverHost(source, migrations, destinations, async () => {
    await removeBarrierLeftovers();
    await tunnels.removeProbeLeftovers();
    await doctor.removeLeftovers();
    await prepareUnderlays(tunnels, config, logger);
  });
  const libvirtHooks = new LibvirtHooks({
    ...{ context: shared, destinations, peers: [...context.peers.values()] },
  });
  const adoptions = new Adoptions(shared, config.paths.guests);
  const adoption = new GuestAdoption({
    ...{ config, guests, adoptions, hypervisor, peer, isGuestStanding, logger },
  });
  await adoption.recover();
  const shownDomains =
    libvirt &&
    stack.use(new KnownDomains({ hostName: host.name, libvirt, guests, records, isGuestStanding }));
  const returning =
    libvirt &&
    stack.use(
      new ReturningGuests({ host, guests, records, adoptions, hypervisor, libvirt, logger }),
    );
  const openWatch = (onChange: () => void) => openKernelWatch({ logger, onChange });
  metrics.network.know(stack.use(new NetworkKeeper({ network, openWatch, logger })), routing);
  drains.begin();
  homeDuties.begin();
  homes.begin();
  anchor.begin();
  notices.tell();
  mirrors.goOn();
  hooks.begin();
  returning?.begin();
  stack.use(
    openGuestNames({
      ...{ config, context: shared, metrics: metrics.names, isGuestStanding },
      tell: nameTeller({ feed, migrations }),
    }),
  );

  const capabilities = () => hypervisor.capabilities();
  const inventory = createInventory({
    ...{ config, guests, network, records, journal, migrations, tunnels, flows },
    ...{ capabilities, peer, maintenance, watchedIdleMs: (guest) => drains.idleMs(guest) },
  });
  const hostServices = createHostServices({
    hostName: host.name,
    guests,
    records,
    journal,
    migrations,
    starter,
    starts,
    resolutions,
    retirements,
    mirrors,
    feed,
    lifelines: (cancel) => stack.use(new Lifelines(cancel, logger)),
    peer,
    observation,
    doctor: doctor.services,
    adoption: adoption.services,
    libvirtHooks: libvirtHooks.services,
    domains: shownDomains,
  });
  const inMaintenance = openMaintenance({ hostName: host.name, maintenance, guests, records });
  const { showGuest, startMigration } = hostServices;
  const evacuations = openEvacuations({
    ...{ config, guests, records, migrations, maintenance, startMigration, peer, isGuestStanding },
    ...{ peers: [...context.peers.values()], metrics: metrics.evacuations, routing, logger },
  });
  const handlers = {
    ...baseHandlers(config, hypervisor, maintenance),
    ...inMaintenance.handlers,
    ...inventory.handlers,
    ...{ ...destinations.handlers(), ...retirements.handlers(), ...homeDuties.handlers() },
    ...delegationHandlers(starter, starts, migrations, records, observation),
    ...{ ...doctor.handlers(), ...adoption.handlers() },
    ...storageHandlers(digests, calm),
    ...{ ...followHandlers(shared, starter), ...anchor.handlers, ...evacuations.handlers },
  };
  stack.defer(async () => {
    await migrations.windDown(windDownMs);
    await guests.disconnect();
  });
  const underWay = () => ({ ...migrations.underWay(), isGuestStanding: isGuestStanding() });
  const benchmarks = await openBenchmarks({ config, showGuest, underWay, logger });
  // They end before migrations do: they would only begin others.
  stack.use(benchmarks);
  stack.use(evacuations).begin();
  const services = {
    ...{ ...hostServices, ...inventory.services, ...benchmarks.services },
    ...{ ...hooks.services, ...anchor.services, ...inMaintenance.services },
    ...evacuations.services,
  };
  const owned = stack.move();
  return { services, handlers, underWay, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
