import type { Guests } from "../migrator/guests.ts";
import type { Migrations, StoredMigration } from "../migrator/migrations.ts";
import type { RecordStore } from "../migrator/record-store.ts";
import { preconditionError } from "../platform/errors.ts";
import type { PeerCaller } from "../platform/procedures.ts";
import { isWithinBudget } from "../probe/analysis.ts";
import type { procedures } from "./compose.ts";
import { delegateMigration, delegatePlan } from "./delegation.ts";
import type { MigrationStarter } from "./migration-starter.ts";
import type { DaemonServices, DoctorCheck, GuestSummary, MigrationStatus } from "./services.ts";

export interface HostServicesOptions {
  hostName: string;
  guests: Guests;
  records: RecordStore;
  migrations: Migrations;
  starter: MigrationStarter;
  peer: (host: string) => PeerCaller<typeof procedures>;
  doctor: () => Promise<DoctorCheck[]>;
}

/** What the local API serves, out of the migrator's parts. */
export function createHostServices(options: HostServicesOptions): DaemonServices {
  const { guests, records, migrations, starter, hostName } = options;

  /** The host to ask instead of this one: a guest whose home is here is migrated from where it is. */
  const elsewhere = (guest: string) => {
    const record = records.get(guest);
    return record?.redirect && !record.hosting ? options.peer(record.redirect.host) : null;
  };

  return {
    listGuests: () => Promise.all(guests.names().map((name) => summaryOf(options, name))),
    showGuest: (name) => summaryOf(options, name),
    async startGuest(name) {
      await guests.start(name);
      return await summaryOf(options, name);
    },
    async stopGuest(name) {
      await guests.stop(name);
      return await summaryOf(options, name).catch(() => goneSummary(name));
    },
    async planMigration(request) {
      const peer = elsewhere(request.guest);
      return peer === null ? await starter.plan(request) : await delegatePlan(peer, request);
    },
    async startMigration(request) {
      const peer = elsewhere(request.guest);
      const id =
        peer === null
          ? await starter.start(request)
          : await delegateMigration(peer, hostName, request, migrations);
      return { id, state: migrations.get(id).state };
    },
    listMigrations: async () => migrations.list().map(statusOf),
    getMigration: async (id) => statusOf(migrations.get(id)),
    migrationEvents: (id, signal) => migrations.events(id).follow(signal),
    async cancelMigration(id) {
      const stored = migrations.get(id);
      if (stored.from === hostName) return statusOf(migrations.cancel(id));
      await options.peer(stored.from).call("delegated-cancel", { id });
      return statusOf(migrations.get(id));
    },
    async getReport(id) {
      const { report, state } = migrations.get(id);
      if (report !== null) return report;
      throw preconditionError(
        "SOJ_NO_REPORT",
        `migration ${id} is ${state}: it has no report yet`,
        {
          httpStatus: 404,
          hint: `sojourn watch ${id}`,
        },
      );
    },
    async addProbeResults(id, probes, flows, throughput = null) {
      const report = await this.getReport(id);
      const within_budget =
        report.budget_ms === null ? null : isWithinBudget(probes, report.budget_ms);
      const guest_clock_step_ms = probes.http?.guest_clock_step_ms ?? null;
      const merged = { ...report, probes, guest_clock_step_ms, flows, within_budget };
      migrations.putReport(id, merged, throughput);
      return merged;
    },
    getThroughput: async (id) => migrations.get(id).throughput ?? null,
    doctor: options.doctor,
  };
}

async function summaryOf(options: HostServicesOptions, name: string): Promise<GuestSummary> {
  const { guests, records, hostName } = options;
  const definition = guests.definition(name);
  const record = records.get(name);
  const instance = guests.instance(name);
  const runState = await instance?.runState().catch(() => undefined);
  const away = record?.redirect && !record.hosting ? record.redirect.host : null;
  return {
    name,
    state: runState === "running" ? "running" : runState ? "paused" : away ? "away" : "stopped",
    host: away ?? (runState ? hostName : null),
    home: record?.home.host ?? hostName,
    addresses: definition.nics.flatMap((nic) => nic.addresses),
    memory_mib: definition.memory_mib,
  };
}

/** A guest that had come from elsewhere leaves no definition here when it ends. */
function goneSummary(name: string): GuestSummary {
  return { name, state: "stopped", host: null, home: "", addresses: [], memory_mib: 0 };
}

function statusOf(stored: StoredMigration): MigrationStatus {
  return {
    id: stored.id,
    guest: stored.guest,
    from: stored.from,
    to: stored.to,
    state: stored.state,
    started_ms: stored.startedMs,
    ended_ms: stored.endedMs,
  };
}
