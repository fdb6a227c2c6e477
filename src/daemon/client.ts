import { inventoryClient } from "../client/inventory.ts";
import type { MigrationReport } from "../migrator/report.ts";
import { SojournError } from "../platform/errors.ts";
import type { ThroughputTimeline } from "../probe/throughput-timeline.ts";
import { type RequestOptions, requestJson, requestLines } from "./client-http.ts";
import type {
  DaemonServices,
  DoctorCheck,
  FlowResults,
  GuestSummary,
  MigrationEvent,
  MigrationPlan,
  MigrationRequest,
  MigrationStatus,
  ProbeResults,
  ResolutionResult,
} from "./services.ts";

/** The daemon's services as a program on the same machine sees them. */
export type DaemonClient = DaemonServices & {
  health(): Promise<{ status: string; host: string; pid: number }>;
};

/** Where the CLI looks for the daemon: `SOJOURN_SOCKET`, else the default path. */
export function defaultSocketPath(): string {
  return process.env.SOJOURN_SOCKET ?? "/run/sojourn/sojourn.sock";
}

/**
 * A client of the local API. Every method throws what the daemon threw, or `SOJ_DAEMON_UNREACHABLE`
 * (exit code 7) when nobody answers or permission is missing.
 */
export function createDaemonClient(socketPath: string = defaultSocketPath()): DaemonClient {
  const call = <Result>(method: RequestOptions["method"], path: string, body?: unknown) =>
    requestJson<Result>({ socketPath, method, path, ...(body === undefined ? {} : { body }) });
  const guest = (name: string, action = "") => `/v1/guests/${encodeURIComponent(name)}${action}`;
  const migration = (id: string, part = "") => `/v1/migrations/${encodeURIComponent(id)}${part}`;
  return {
    health: () => call("GET", "/healthz"),
    ...inventoryClient(call),
    doctor: () => call<DoctorCheck[]>("GET", "/v1/doctor"),
    examinePeer: (peer) =>
      call<DoctorCheck[]>("POST", `/v1/doctor/peers/${encodeURIComponent(peer)}`),
    listGuests: () => call<GuestSummary[]>("GET", "/v1/guests"),
    showGuest: (name) => call<GuestSummary>("GET", guest(name)),
    startGuest: (name) => call<GuestSummary>("POST", guest(name, "/start")),
    stopGuest: (name) => call<GuestSummary>("POST", guest(name, "/stop")),
    planMigration: (request: MigrationRequest) =>
      call<MigrationPlan>("POST", "/v1/migrations", { ...request, dry_run: true }),
    startMigration: (request, { idempotencyKey: key, abortUnlessFollowed } = {}) =>
      requestJson({
        socketPath,
        method: "POST",
        path: "/v1/migrations",
        body: { ...request, ...(abortUnlessFollowed ? { abort_unless_followed: true } : {}) },
        ...(key === undefined ? {} : { headers: { "idempotency-key": `"${key}"` } }),
      }),
    listMigrations: (limit) =>
      call<MigrationStatus[]>(
        "GET",
        `/v1/migrations${limit === undefined ? "" : `?limit=${limit}`}`,
      ),
    findMigrations: (key) =>
      call<MigrationStatus[]>("GET", `/v1/migrations?idempotency_key=${encodeURIComponent(key)}`),
    getMigration: (id) => call<MigrationStatus>("GET", migration(id)),
    cancelMigration: (id) => call<MigrationStatus>("POST", migration(id, "/cancel")),
    resolveMigration: (id, decision) =>
      call<ResolutionResult>("POST", migration(id, "/resolve"), decision),
    getReport: (id) => call<MigrationReport>("GET", migration(id, "/report")),
    addProbeResults: (
      id: string,
      probes: ProbeResults,
      flows: FlowResults,
      throughput: ThroughputTimeline | null = null,
    ) => call<MigrationReport>("PUT", migration(id, "/report"), { probes, flows, throughput }),
    getThroughput: (id) => call<ThroughputTimeline | null>("GET", migration(id, "/throughput")),
    migrationEvents: (id, signal, { abortOnDisconnect } = {}) => {
      const query = abortOnDisconnect ? "?abort_on_disconnect=true" : "";
      return followEvents(socketPath, migration(id, `/events${query}`), id, signal);
    },
  };
}

/** Ends after the result; a stream that ends without one means that the daemon went away. */
async function* followEvents(
  socketPath: string,
  path: string,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<MigrationEvent> {
  for await (const line of requestLines({ socketPath, method: "GET", path, signal })) {
    const event = line as MigrationEvent;
    yield event;
    if (event.type === "report" || event.type === "error") return;
  }
  if (signal.aborted) return;
  throw new SojournError(
    "SOJ_DAEMON_UNREACHABLE",
    `the daemon went away; how migration ${id} goes on is not known here`,
    { exitCode: 7, retryable: true, hint: `once it runs again: sojourn watch ${id}` },
  );
}
