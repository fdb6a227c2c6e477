import type { Migrations } from "../migrator/migrations.ts";
import type { delegationProcedures } from "../migrator/procedures.ts";
import type { RecordStore } from "../migrator/record-store.ts";
import type { Idempotency } from "../migrator/stored-migration.ts";
import { preconditionError } from "../platform/errors.ts";
import type { PeerCaller, ProcedureHandlers } from "../platform/procedures.ts";
import type { IdempotentStarts } from "./idempotency.ts";
import type { MigrationStarter } from "./migration-starter.ts";
import type { Mirrors } from "./mirrors.ts";
import type { Observation } from "./observe.ts";
import type { procedures } from "./peer-procedures.ts";
import type { MigrationPlan, MigrationRequest } from "./services.ts";
import type { TraceParent } from "./tracing/trace-parent.ts";

type Peer = PeerCaller<typeof procedures>;

/** Passes a request on to the host where the guest is, and keeps a copy of what happens there. */
export async function delegateMigration(
  peer: Peer,
  request: MigrationRequest,
  idempotency: Idempotency | null,
  mirrors: Mirrors,
  trace: TraceParent | undefined,
): Promise<string> {
  const { id } = await peer.call("delegate-migration", {
    guest: request.guest,
    to: request.to,
    tunnel: request.tunnel ?? "auto",
    timeout_s: request.timeout_s ?? null,
    max_outage_ms: request.max_outage_ms ?? null,
    strategy: request.strategy ?? null,
    ...wishesOf(request),
    ...(idempotency === null ? {} : { idempotency }),
    ...(trace === undefined ? {} : { trace }),
  });
  mirrors.begin({ id, guest: request.guest, from: peer.peer, to: request.to }, idempotency);
  return id;
}

/** The plan of the host where the guest is. @throws SojournError that host's, or that it cannot be reached. */
export async function delegatePlan(peer: Peer, request: MigrationRequest): Promise<MigrationPlan> {
  const { plan } = await peer.call("delegate-plan", {
    guest: request.guest,
    to: request.to,
    tunnel: request.tunnel ?? "auto",
    ...wishesOf(request),
  });
  return plan as MigrationPlan;
}

/** Only what is asked for: older releases know nothing of it. */
function wishesOf(request: MigrationRequest) {
  const { renumber, release_renumbered, drain_idle_s, drain_cap_s } = request;
  const { policy, post_copy, guest_share } = request;
  return {
    ...(policy === undefined ? {} : { policy }),
    ...(post_copy === undefined ? {} : { post_copy }),
    ...(guest_share === undefined ? {} : { guest_share }),
    ...(drain_idle_s === undefined ? {} : { drain_idle_s }),
    ...(drain_cap_s === undefined ? {} : { drain_cap_s }),
    ...(renumber === undefined ? {} : { renumber }),
    ...(release_renumbered === undefined ? {} : { release_renumbered }),
  };
}

/** The serving side. Only a guest's home may ask for it. */
export function delegationHandlers(
  starter: MigrationStarter,
  starts: IdempotentStarts,
  migrations: Migrations,
  records: RecordStore,
  { continueTrace }: Pick<Observation, "continueTrace">,
): ProcedureHandlers<typeof delegationProcedures> {
  return {
    "delegate-migration": async (request, { peer }) => {
      checkHome(records, request.guest, peer);
      const { idempotency = null, trace } = request;
      const wanted = {
        guest: request.guest,
        to: request.to,
        tunnel: request.tunnel,
        ...(request.timeout_s === null ? {} : { timeout_s: request.timeout_s }),
        ...(request.max_outage_ms === null ? {} : { max_outage_ms: request.max_outage_ms }),
        ...(request.strategy === null ? {} : { strategy: request.strategy }),
        ...wishesOf(request as MigrationRequest),
      };
      const start = async () => {
        const begun = await starter.start(wanted, idempotency);
        continueTrace(begun, trace);
        return begun;
      };
      const id = idempotency === null ? await start() : await starts.start(idempotency, start);
      return { id, state: migrations.get(id).state };
    },
    "delegate-plan": async (request, { peer }) => {
      checkHome(records, request.guest, peer);
      const { guest, to, tunnel } = request;
      const wanted = { guest, to, tunnel, ...wishesOf(request as MigrationRequest) };
      return { plan: await starter.plan(wanted) };
    },
    "delegated-events": async ({ id, from, wait_ms }) => {
      const log = migrations.events(id);
      await log.wait(from, wait_ms);
      // A log that a restart has shortened still has its result, the last event.
      const start = log.ended ? Math.min(from, Math.max(0, log.events.length - 1)) : from;
      const events = log.events.slice(start, start + 1_000);
      return { events, ended: log.ended && start + events.length >= log.events.length };
    },
    "delegated-cancel": async ({ id }, { peer }) => {
      if (migrations.isRunning(id)) checkHome(records, migrations.get(id).guest, peer);
      migrations.cancel(id);
      return {};
    },
  };
}

function checkHome(records: RecordStore, guest: string, peer: string): void {
  if (records.get(guest)?.home.host === peer) return;
  throw preconditionError("SOJ_NOT_HOME", `${peer} is not the home of ${guest}`, {
    httpStatus: 403,
  });
}
