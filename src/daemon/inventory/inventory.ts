import type { HypervisorCapabilities } from "../../hypervisor/hypervisor.ts";
import type { Guests } from "../../migrator/guests.ts";
import type { HostNetwork } from "../../migrator/host-network.ts";
import type { Journal } from "../../migrator/journal.ts";
import type { MaintenanceState } from "../../migrator/maintenance.ts";
import type { Migrations } from "../../migrator/migrations.ts";
import type { RecordStore } from "../../migrator/record-store.ts";
import { tunnelUses } from "../../migrator/tunnel-use.ts";
import { runCommand } from "../../platform/command.ts";
import type { PeerCaller, ProcedureHandlers } from "../../platform/procedures.ts";
import type { FlowTable } from "../../routing/flows/flow-table.ts";
import { readStateTimeouts } from "../../routing/flows/state-timeouts.ts";
import { observeTunnels } from "../../tunnels/observe.ts";
import type { Tunnels } from "../../tunnels/tunnel.ts";
import type { DaemonConfig } from "../config.ts";
import type { baseProcedures } from "../procedures.ts";
import { CalmReader } from "./calm-reader.ts";
import { flowAddresses } from "./flow-addresses.ts";
import { FlowLists } from "./flow-lists.ts";
import type { HostDescription, hostProcedures } from "./host-description.ts";
import { Hosts } from "./hosts.ts";
import { describeLocalHost } from "./local-host.ts";
import type { InventoryServices } from "./schemas.ts";
import { tunnelSummaries } from "./tunnels.ts";

export interface InventoryOptions {
  config: DaemonConfig;
  guests: Guests;
  network: HostNetwork;
  records: RecordStore;
  journal: Journal;
  migrations: Migrations;
  tunnels: Tunnels;
  flows: Pick<FlowTable, "read">;
  /** Idle times (ms) by flow, as seen by who looks at the guest's flows all the time; null while nobody does. */
  watchedIdleMs: (guest: string) => ReadonlyMap<string, number> | null;
  capabilities: () => Promise<HypervisorCapabilities>;
  peer: (name: string) => PeerCaller<typeof hostProcedures & typeof baseProcedures>;
  maintenance: MaintenanceState;
}

/** Readers of the kernel's state share an answer for so long (ms). */
const goodForMs = 1_000;

/** What this host tells of itself, its peers and its guests' network; and what it tells its peers. */
export function createInventory(options: InventoryOptions): {
  services: InventoryServices;
  handlers: ProcedureHandlers<typeof hostProcedures>;
} {
  const { config, network, records, migrations } = options;
  const isGuestStanding = () => migrations.underWay().isGuestStanding;
  const calmly = { goodForMs, isGuestStanding };
  const isInMaintenance = () => options.maintenance.isOn;
  const describe = describeLocalHost({
    config,
    capabilities: options.capabilities,
    tunnels: options.tunnels,
    runningGuests: () => runningGuests(options),
    problems: () => problemsOf(options),
  });
  const hosts = new Hosts({
    config,
    describe,
    peer: options.peer,
    isGuestStanding,
    isInMaintenance,
  });
  const tunnels = new CalmReader(async () => {
    const observed = await observeTunnels(runCommand);
    const interfaceOf = network.knownInterface.bind(network);
    return tunnelSummaries(tunnelUses(records.all()), interfaceOf, observed);
  }, calmly);
  const flows = new FlowLists({
    hostName: config.host.name,
    addressesOf: (guest) => flowAddresses(options, guest),
    readFlows: (address) => options.flows.read(address),
    readTimeouts: () => readStateTimeouts(),
    watchedIdleMs: options.watchedIdleMs,
    isGuestStanding,
  });
  return {
    services: {
      listHosts: () => hosts.list(),
      showHost: (name) => hosts.show(name),
      listTunnels: () => tunnels.get(),
      listFlows: (guest, query) => flows.of(guest, query),
    },
    handlers: { "describe-host": () => hosts.description() },
  };
}

function runningGuests({ guests, records }: InventoryOptions) {
  return records
    .all()
    .filter(({ guest, hosting }) => {
      const runsHere = hosting?.stage === "running" || hosting?.stage === "landed";
      return runsHere && (guests.instance(guest)?.isAlive() ?? false);
    })
    .map(({ definition }) => definition);
}

function problemsOf({
  journal,
  migrations,
  records,
}: InventoryOptions): HostDescription["problems"] {
  const inDoubt = migrations.list({ limit: 100, states: ["in-doubt"] });
  const held = records.all().filter(({ guest }) => journal.isHeld(guest));
  return [
    ...inDoubt.map(({ id, guest }) => ({
      code: "SOJ_IN_DOUBT",
      message: `${guest}'s migration ${id} is in doubt`,
    })),
    ...held.map(({ guest }) => ({
      code: "SOJ_JOURNAL_DAMAGED",
      message: `${guest} is held: the journal is damaged`,
    })),
  ];
}
