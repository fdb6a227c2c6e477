import type { DaemonServices } from "../daemon/services.ts";
import type { Connection } from "./connection.ts";
import { eachItem, pageOf } from "./pages.ts";
import { pathOf } from "./paths.ts";
import type { MigrationFilter, MigrationPage, MigrationStatus, StartConduct } from "./types.ts";

type SharedServices = Pick<
  DaemonServices,
  | "planMigration"
  | "startMigration"
  | "findMigrations"
  | "getMigration"
  | "cancelMigration"
  | "resolveMigration"
  | "getReport"
  | "addProbeResults"
  | "getThroughput"
>;

/** Migrations that the daemon's host began or carries out. */
export interface MigrationClient extends SharedServices {
  /** A page, newest first: from the beginning, or from the `next` of the page before. */
  listMigrations(filter?: MigrationFilter, limit?: number, cursor?: string): Promise<MigrationPage>;
  /** All of them, page by page, newest first. */
  eachMigration(filter?: MigrationFilter): AsyncGenerator<MigrationStatus>;
}

const list = ["v1", "migrations"];

export function migrationClient(connection: Connection): MigrationClient {
  const all = pathOf(list);
  const of = (id: string, ...part: string[]) => pathOf([...list, id, ...part]);
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
    async listMigrations(filter = {}, limit, cursor) {
      const query = { ...queryOf(filter), limit, cursor };
      const { items, next } = await pageOf<MigrationStatus>(connection, list, query);
      return { migrations: items, next };
    },
    eachMigration: (filter = {}) => eachItem(connection, list, queryOf(filter)),
    findMigrations: (key) =>
      connection.json({ method: "GET", path: pathOf(list, { idempotency_key: key }) }),
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
