import { cursorOf, placeOfCursor } from "../../src/daemon/list-cursor.ts";
import type {
  DaemonServices,
  MigrationRequest,
  MigrationStatus,
} from "../../src/daemon/services.ts";
import { gapEvent } from "../../src/daemon/stored-events.ts";
import { select } from "../../src/migrator/migration-query.ts";
import { phases } from "../../src/migrator/phases.ts";
import { preconditionError, SojournError } from "../../src/platform/errors.ts";
import {
  eventsOf,
  fakeServices,
  guest,
  phaseEvent,
  reportWith,
  resolutionWith,
} from "./fake-services.ts";

const hosts = ["host-a", "host-b", "host-c"];
const guestNames = ["web1", "db", "mail.example", "a-1_b"];

/** Services of a host that has seen much: guests and migrations in every state, and requests that are refused. */
export function apiWorld(): DaemonServices {
  const migrations = Array.from({ length: 300 }, (_, number) => migrationOf(number));
  const find = (id: string) =>
    migrations.find((migration) => migration.id === id) ?? unknown("SOJ_MIGRATION_UNKNOWN", id);
  const checkRequest = ({ guest: name, to }: MigrationRequest) => {
    if (!guestNames.includes(name)) unknown("SOJ_GUEST_UNKNOWN", name);
    if (!hosts.includes(to)) unknown("SOJ_HOST_UNKNOWN", to);
    if (name === "db")
      throw preconditionError("SOJ_GUEST_BUSY", "db is in doubt", {
        migration: "m12",
        hint: "sojourn resolve m12",
      });
  };
  return fakeServices({
    listGuests: async () =>
      guestNames.map((name) => ({ ...guest, name, state: "away" as const, host: null })),
    showGuest: async (name) =>
      guestNames.includes(name) ? { ...guest, name } : unknown("SOJ_GUEST_UNKNOWN", name),
    planMigration: async (request) => {
      checkRequest(request);
      return fakeServices().planMigration({ ...request, guest: "web1" });
    },
    startMigration: async (request) => {
      checkRequest(request);
      return migrationOf(0);
    },
    listMigrations: async (filter, limit, cursor) => {
      const after = cursor === undefined ? {} : { after: placeOfCursor(cursor) };
      const stored = migrations.map((one) => ({
        ...one,
        startedMs: one.started_ms,
        endedMs: one.ended_ms,
      }));
      const found = select(stored, { ...filter, ...after, limit: limit + 1 });
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      return {
        migrations: page.map(({ startedMs: _started, endedMs: _ended, ...one }) => one),
        next: last === undefined ? null : cursorOf(last),
      };
    },
    findMigrations: async (key) => (key.length % 2 === 0 ? [migrationOf(1)] : []),
    getMigration: async (id) => ({ ...find(id), error: null }),
    cancelMigration: async (id) => {
      const found = find(id);
      if (found.ended_ms === null) return found;
      throw preconditionError("SOJ_TOO_LATE", `migration ${id} has ended`, {
        guestState: "running-at-destination",
      });
    },
    resolveMigration: async (id, { keep, confirm }) => {
      find(id);
      if (confirm && keep === "source")
        throw preconditionError("SOJ_RESOLVE_REFUSED", "the destination runs it");
      return resolutionWith({ id, keep, confirmed: confirm });
    },
    getReport: async (id) => {
      const { state } = find(id);
      if (state === "completed") return reportWith({ id, resolved: "source", strategy: "flip" });
      throw preconditionError("SOJ_NO_REPORT", `migration ${id} is ${state}`, { httpStatus: 404 });
    },
    addProbeResults: async (id, probes, flows) => {
      find(id);
      return reportWith({ id, probes, flows });
    },
    getThroughput: async (id) =>
      find(id).ended_ms === null ? null : { start_ms: -1, step_ms: 10, mbps: [1] },
    migrationEvents: async function* (id, _signal, options) {
      if (options?.afterId === "end") return;
      if (options?.afterId !== undefined) yield { id: null, event: gapEvent("other-daemon") };
      const cancelled = new SojournError("SOJ_CANCELLED", "cancelled", {
        exitCode: 6,
        migration: id,
      });
      yield* eventsOf(
        { ...phaseEvent, id },
        find(id).ended_ms === null ? cancelled.toRecord() : reportWith({ id }),
      );
    },
  });
}

/** Values that are found in this world, for a path's parameters and its body's members. */
export function knownValues(path: string): Readonly<Record<string, readonly string[]>> {
  const found = Object.entries(resources).find(([prefix]) => path.startsWith(prefix));
  return { ...everywhere, ...found?.[1] };
}

const resources = {
  "/v1/migrations": { id: ["m0", "m7", "m8", "m12", "m299"] },
  "/v1/guests": { name: ["web1", "db"] },
  "/v1/hosts": { name: ["host-a", "host-z"] },
  "/v1/benchmarks": { id: ["b1"] },
  "/v1/evacuations": { id: ["e5f1c0a9b2d3"] },
  "/v1/webhooks": { name: ["chat"], id: ["msg_1"] },
};

const everywhere = {
  guest: ["web1", "db"],
  to: ["host-b", "host-c"],
  url: ["https://chat.example.com/hook", "https://192.0.2.2:8443/"],
  last_event_id: ["end", "0123abcd-1"],
  "last-event-id": ["end", "e-1"],
  cursor: [cursorOf({ startedMs: 100, id: "m100" }), "nonsense"],
};

function migrationOf(number: number): MigrationStatus {
  const state = phases[number % phases.length] ?? "planned";
  const isOpen = phases.indexOf(state) < phases.indexOf("completed");
  return {
    id: `m${number}`,
    guest: guestNames[number % guestNames.length] ?? "web1",
    from: hosts[number % 3] ?? "host-a",
    to: hosts[(number + 1) % 3] ?? "host-b",
    state,
    started_ms: Math.floor(number / 2),
    ended_ms: isOpen ? null : number + 0.25,
  };
}

function unknown(code: `SOJ_${string}`, name: string): never {
  throw preconditionError(code, `there is no ${name}`, {
    httpStatus: 404,
    guestState: "untouched",
  });
}
