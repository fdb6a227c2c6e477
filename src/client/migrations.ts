import type { Connection } from "./connection.ts";
import { nextCursor, pathOf } from "./paths.ts";
import type {
  Decision,
  FlowResults,
  MigrationFilter,
  MigrationPage,
  MigrationPlan,
  MigrationReport,
  MigrationRequest,
  MigrationStatus,
  ProbeResults,
  ResolutionResult,
  StartConduct,
  ThroughputTimeline,
} from "./types.ts";

/** Migrations that the daemon's host began or carries out. */
export interface MigrationClient {
  /** What it would do on which host; nothing is changed. */
  planMigration(request: MigrationRequest): Promise<MigrationPlan>;
  /** Resolves when it is begun. Give an idempotency key to anything that may be repeated. */
  startMigration(request: MigrationRequest, conduct?: StartConduct): Promise<MigrationStatus>;
  /** A page, newest first: from the beginning, or from the `next` of the page before. */
  listMigrations(filter?: MigrationFilter, limit?: number, cursor?: string): Promise<MigrationPage>;
  /** All of them, page by page, newest first. */
  eachMigration(filter?: MigrationFilter): AsyncGenerator<MigrationStatus>;
  /** The migration that a request with this key began; none or one. */
  findMigrations(idempotencyKey: string): Promise<MigrationStatus[]>;
  getMigration(id: string): Promise<MigrationStatus>;
  /** Possible until the promise; how it ended is told by its events. */
  cancelMigration(id: string): Promise<MigrationStatus>;
  /** For one in doubt: what a decision rests on and would do; with `confirm` it is carried out. */
  resolveMigration(id: string, decision: Decision): Promise<ResolutionResult>;
  getReport(id: string): Promise<MigrationReport>;
  /** Puts what probers measured into the report and judges the budget. */
  addProbeResults(
    id: string,
    probes: ProbeResults,
    flows: FlowResults,
    throughput?: ThroughputTimeline | null,
  ): Promise<MigrationReport>;
  getThroughput(id: string): Promise<ThroughputTimeline | null>;
}

const largestPage = 1_000;

export function migrationClient(connection: Connection): MigrationClient {
  const all = "/v1/migrations";
  const of = (id: string, ...part: string[]) => pathOf(["v1", "migrations", id, ...part]);
  async function listMigrations(filter: MigrationFilter = {}, limit?: number, cursor?: string) {
    const path = pathOf(["v1", "migrations"], { ...queryOf(filter), limit, cursor });
    const { body, link } = await connection.answer<MigrationStatus[]>({ method: "GET", path });
    return { migrations: body, next: nextCursor(link) };
  }
  return {
    planMigration: (request) =>
      connection.json({ method: "POST", path: all, body: { ...request, dry_run: true } }),
    startMigration: (request, conduct = {}) =>
      connection.json({
        ...{ method: "POST", path: all, headers: headersOf(conduct) },
        body: {
          ...request,
          ...(conduct.abortUnlessFollowed ? { abort_unless_followed: true } : {}),
        },
      }),
    listMigrations,
    async *eachMigration(filter) {
      let cursor: string | undefined;
      do {
        const page: MigrationPage = await listMigrations(filter, largestPage, cursor);
        yield* page.migrations;
        cursor = page.next ?? undefined;
      } while (cursor !== undefined);
    },
    findMigrations: (key) =>
      connection.json({
        method: "GET",
        path: pathOf(["v1", "migrations"], { idempotency_key: key }),
      }),
    getMigration: (id) => connection.json({ method: "GET", path: of(id) }),
    cancelMigration: (id) => connection.json({ method: "POST", path: of(id, "cancel") }),
    resolveMigration: (id, decision) =>
      connection.json({ method: "POST", path: of(id, "resolve"), body: decision }),
    getReport: (id) => connection.json({ method: "GET", path: of(id, "report") }),
    addProbeResults: (id, probes, flows, throughput = null) =>
      connection.json({
        ...{ method: "PUT", path: of(id, "report") },
        body: { probes, flows, throughput },
      }),
    getThroughput: (id) => connection.json({ method: "GET", path: of(id, "throughput") }),
  };
}

function headersOf({ idempotencyKey: key, traceParent }: StartConduct): Record<string, string> {
  const { traceparent, tracestate } = traceParent ?? {};
  return {
    ...(key === undefined ? {} : { "idempotency-key": `"${key}"` }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
  };
}

function queryOf({ guest, from, to, states, isOpen, sinceMs, untilMs }: MigrationFilter) {
  return {
    ...{ guest, from, to, state: states, open: isOpen },
    ...{ since: sinceMs === undefined ? undefined : Math.floor(sinceMs) },
    ...{ until: untilMs === undefined ? undefined : Math.ceil(untilMs) },
  };
}
