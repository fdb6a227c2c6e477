import type { Logger } from "../platform/log.ts";
import type { FlowTable } from "../routing/flows/flow-table.ts";
import type { FollowedDomains } from "./followed-domains.ts";
import type { Guests } from "./guests.ts";
import type { HomeTeller } from "./home-teller.ts";
import type { HostNetwork } from "./host-network.ts";
import type { Journal } from "./journal.ts";
import type { MaintenanceState } from "./maintenance.ts";
import type { HostFacts } from "./network.ts";
import type { RecordStore } from "./record-store.ts";

/** What every migration on this host works with, whichever side it is. */
export interface HostContext {
  host: HostFacts;
  guests: Guests;
  network: HostNetwork;
  records: RecordStore;
  journal: Journal;
  flows: FlowTable;
  logger: Logger;
  homes: HomeTeller;
  /** Absent where nobody can ask for it. */
  maintenance?: MaintenanceState;
  /** Of the host's libvirt; absent where guests are none of its domains. */
  domains?: FollowedDomains;
}
