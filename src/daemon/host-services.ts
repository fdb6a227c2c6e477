import { refuseDeparted } from "../migrator/departed.ts";
import type { Guests } from "../migrator/guests.ts";
import type { Journal } from "../migrator/journal.ts";
import type { Migrations } from "../migrator/migrations.ts";
import type { RecordStore } from "../migrator/record-store.ts";
import type { Resolutions } from "../migrator/resolutions.ts";
import type { Retirements } from "../migrator/retirements.ts";
import { preconditionError } from "../platform/errors.ts";
import type { PeerCaller } from "../platform/procedures.ts";
import { isWithinBudget } from "../probe/analysis.ts";
import type { AdoptionServices } from "./adoption/schemas.ts";
import type { BenchmarkServices } from "./benchmarks/schemas.ts";
import { delegateMigration, delegatePlan } from "./delegation.ts";
import type { KnownDomains } from "./domains/known-domains.ts";
import { withDrainOfNow } from "./drain-teller.ts";
import type { EvacuationServices } from "./evacuation/schemas.ts";
import type { EventFeed } from "./event-feed.ts";
import { createEventServices } from "./event-services.ts";
import { goneSummary, guestSummaries, guestSummary } from "./guest-summary.ts";
import type { HandoverServices } from "./handover/schemas.ts";
import type { WebhookServices } from "./hooks/webhook-services.ts";
import { type IdempotentStarts, idempotencyOf } from "./idempotency.ts";
import type { InventoryServices } from "./inventory/schemas.ts";
import type { LibvirtHookServices } from "./libvirt-hooks/schemas.ts";
import type { Lifelines } from "./lifelines.ts";
import { cursorOf, placeOfCursor } from "./list-cursor.ts";
import type { MaintenanceServices } from "./maintenance/schemas.ts";
import type { MigrationStarter } from "./migration-starter.ts";
import { detailOf, statusOf } from "./migration-status.ts";
import type { Mirrors } from "./mirrors.ts";
import type { Observation } from "./observe.ts";
import type { procedures } from "./peer-procedures.ts";
import type { DaemonServices, MigrationStatus } from "./services.ts";

/** How long the answer to a decision waits for what it leads to. */
const resolutionPatienceMs = 20_000;

export interface HostServicesOptions {
  hostName: string;
  guests: Guests;
  records: RecordStore;
  journal: Journal;
  migrations: Migrations;
  starter: MigrationStarter;
  starts: IdempotentStarts;
  resolutions: Resolutions;
  retirements: Pick<Retirements, "retire">;
  mirrors: Mirrors;
  feed: EventFeed;
  /** Made with `cancelMigration` of these services. */
  lifelines: (cancel: DaemonServices["cancelMigration"]) => Lifelines;
  peer: (host: string) => PeerCaller<typeof procedures>;
  observation: Pick<Observation, "continueTrace" | "noteMeasured">;
  doctor: Pick<DaemonServices, "doctor" | "examinePeer">;
  adoption: AdoptionServices;
  libvirtHooks: LibvirtHookServices;
  /** Null on hosts without libvirt. */
  domains: Pick<KnownDomains, "summaries" | "explain"> | null;
}

/** The services around guests and migrations. */
export type HostServices = Omit<
  DaemonServices,
  | keyof InventoryServices
  | keyof BenchmarkServices
  | keyof WebhookServices
  | keyof HandoverServices
  | keyof EvacuationServices
  | keyof MaintenanceServices
>;

/** What the local API serves of them, out of the migrator's parts. */
export function createHostServices(options: HostServicesOptions): HostServices {
  const { guests, records, migrations, starter, starts, resolutions, hostName } = options;

  async function cancelMigration(id: string): Promise<MigrationStatus> {
    const stored = migrations.get(id);
    if (stored.from === hostName) return statusOf(migrations.cancel(id));
    await options.peer(stored.from).call("delegated-cancel", { id });
    return statusOf(migrations.get(id));
  }

  const lifelines = options.lifelines(cancelMigration);

  /** The host to ask instead of this one: a guest whose home is here is migrated from where it is. */
  const elsewhere = (guest: string) => {
    const record = records.get(guest);
    if (record !== undefined) refuseDeparted(record);
    return record?.redirect && !record.hosting ? options.peer(record.redirect.host) : null;
  };

  const { domains } = options;
  /** What somebody wants of a guest may be wanted of a domain that is none yet. */
  const ofGuest = async <Result>(name: string, work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      throw domains === null ? error : await domains.explain(name, error);
    }
  };

  return {
    async listGuests() {
      const [known, others = []] = await Promise.all([
        guestSummaries(options),
        domains?.summaries(),
      ]);
      return [...known, ...others];
    },
    showGuest: (name) => ofGuest(name, () => guestSummary(options, name)),
    async startGuest(name) {
      await ofGuest(name, () => guests.start(name));
      return await guestSummary(options, name);
    },
    async stopGuest(name) {
      await ofGuest(name, () => guests.stop(name));
      return await guestSummary(options, name).catch(() => goneSummary(name));
    },
    async retireGuest(name, { confirm }) {
      guests.definition(name);
      return await options.retirements.retire(name, confirm);
    },
    planMigration: (request) =>
      ofGuest(request.guest, async () => {
        const peer = elsewhere(request.guest);
        return peer === null ? await starter.plan(request) : await delegatePlan(peer, request);
      }),
    async startMigration(request, { idempotencyKey: key, abortUnlessFollowed, traceParent } = {}) {
      const idempotency = key === undefined ? null : idempotencyOf(key, request);
      const begin = () => {
        const peer = elsewhere(request.guest);
        if (peer === null) return starter.start(request, idempotency);
        return delegateMigration(peer, request, idempotency, options.mirrors, traceParent);
      };
      // A request that only repeats another's key has begun nothing, and ends nothing.
      const start = async () => {
        const begun = await begin();
        options.observation.continueTrace(begun, traceParent);
        if (abortUnlessFollowed) lifelines.expectFollower(begun);
        return begun;
      };
      const id = await ofGuest(request.guest, () =>
        idempotency === null ? start() : starts.start(idempotency, start),
      );
      return statusOf(migrations.get(id));
    },
    async listMigrations(filter, limit, cursor) {
      const after = cursor === undefined ? {} : { after: placeOfCursor(cursor) };
      const found = migrations.list({ ...filter, ...after, limit: limit + 1 });
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      return { migrations: page.map(statusOf), next: last === undefined ? null : cursorOf(last) };
    },
    async findMigrations(key) {
      const found = migrations.byKey(key);
      return found === undefined ? [] : [statusOf(found)];
    },
    getMigration: async (id) => detailOf(migrations.get(id)),
    ...createEventServices({ feed: options.feed, migrations, lifelines }),
    cancelMigration,
    async resolveMigration(id, { keep, confirm }) {
      const resolution = confirm
        ? await resolutions.decide(id, keep)
        : await resolutions.describe(id, keep);
      if (confirm) await migrations.settled(id, resolutionPatienceMs);
      const status = migrations.has(id) ? statusOf(migrations.get(id)) : null;
      return { ...resolution, confirmed: confirm, status };
    },
    async getReport(id) {
      const { report, state, guest } = migrations.get(id);
      if (report !== null) return withDrainOfNow(report, records.get(guest));
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
      const measured = { probes, guest_clock_step_ms, within_budget };
      // Where the source has tracked the guest's flows, its figures are of all of them.
      const merged = { ...report, ...measured, flows: report.flows ?? flows };
      migrations.putReport(id, merged, throughput);
      options.observation.noteMeasured(merged);
      return merged;
    },
    getThroughput: async (id) => migrations.get(id).throughput ?? null,
    ...options.doctor,
    ...options.adoption,
    ...options.libvirtHooks,
  };
}
