import type { AdoptionResult } from "../../src/daemon/adoption/schemas.ts";
import type { Handover } from "../../src/daemon/handover/schemas.ts";
import type { MaintenanceStatus } from "../../src/daemon/maintenance/schemas.ts";
import type {
  DaemonServices,
  FollowedEvent,
  FollowedHostEvent,
  MigrationEvent,
  MigrationStatus,
  ResolutionResult,
} from "../../src/daemon/services.ts";
import type { MigrationReport } from "../../src/migrator/report.ts";
import type { Retirement } from "../../src/migrator/retirement-schema.ts";
import { preconditionError } from "../../src/platform/errors.ts";
import { fakeEvacuations } from "./fake-evacuations.ts";
import { fakeInventory } from "./fake-inventory.ts";
import { fakeWebhooks } from "./fake-webhooks.ts";

export const guest = {
  name: "web1",
  state: "running" as const,
  host: "host-a",
  home: "host-a",
  addresses: ["127.0.0.1/24"],
  renumbered: null,
  redirect: null,
  memory_mib: 128,
  vcpus: 1,
  migration: null,
  in_doubt: false,
  since_ms: 1_700_000_000_000,
  error: null,
};

export const status: MigrationStatus = {
  id: "m1",
  guest: "web1",
  from: "host-a",
  to: "host-b",
  state: "precopy",
  started_ms: 0,
  ended_ms: null,
};

export function reportWith(change: Partial<MigrationReport>): MigrationReport {
  return {
    type: "report",
    id: "m1",
    guest: "web1",
    from: "host-a",
    to: "host-b",
    outcome: "completed",
    tunnel: { kind: "ipip", datapath: "kernel", mtu: 1480 },
    timeline: [{ phase: "preparing", at_ms: 0, host: "host-b" }],
    blackout_ms: 24.1,
    total_ms: 612,
    transferred_bytes: 73_000_000,
    clock_offset_ms: null,
    clock_error_ms: null,
    packets_dropped: null,
    probes: {},
    guest_clock_step_ms: null,
    flows: null,
    budget_ms: null,
    within_budget: null,
    ...change,
  };
}

export const phaseEvent = {
  type: "phase" as const,
  id: "m1",
  phase: "precopy" as const,
  host: "host-a",
  at_ms: 12,
  wall_clock_ms: 1,
};

/** Of a host that takes guests, and has one. */
export const maintenance: MaintenanceStatus = {
  ...{ type: "maintenance", host: "host-a", on: false, since_ms: null, reason: null },
  ...{ guests: ["web1"], arriving: [], home_of: [] },
};

const adoption: AdoptionResult = {
  type: "adoption",
  guest: "web9",
  adopted: true,
  possible: true,
  pid: 4711,
  monitor: "/run/web9.qmp",
  tap: "tap9",
  bridge: "guests0",
  definition: 'name = "web9"\n',
  checks: [{ host: "host-a", subject: "process", result: "ok", detail: "process 4711" }],
};

export const handover: Handover = {
  ...{ type: "handover", id: "5f1c0a9b2d3e", from: "host-a", to: "anchor-b", state: "done" },
  guests: [{ guest: "web1", address: "10.101.0.10", host: "host-b" }],
  ...{ begun_ms: 1, ended_ms: 2, error: null },
};

/** Services of a host with one guest and one migration, whose answers a test can replace. */
export function fakeServices(changes: Partial<DaemonServices> = {}): DaemonServices {
  return {
    listGuests: async () => [guest],
    showGuest: async (name) => (name === "web1" ? guest : unknownGuest(name)),
    adoptGuest: async () => adoption,
    answerLibvirtHook: async () => ({ verdict: "proceed", reason: null, description: null }),
    releaseGuest: async (name) => ({ guest: name, released: true, pid: 4711 }),
    startGuest: async () => guest,
    handOver: async ({ to, dry_run = false }) => ({
      ...{ ...handover, to },
      ...(dry_run ? { id: null, state: "planned", begun_ms: null, ended_ms: null } : {}),
    }),
    showHandover: async () => handover,
    ...fakeEvacuations,
    showMaintenance: async () => maintenance,
    setMaintenance: async ({ on, reason = null }) => ({ ...maintenance, on, reason }),
    retireGuest: async (name, { confirm }) => {
      if (name !== "web1") unknownGuest(name);
      return retirementWith({ state: confirm ? "retired" : "described" });
    },
    stopGuest: async () => ({ ...guest, state: "stopped", host: null }),
    planMigration: async (request) => {
      if (request.guest !== "web1") unknownGuest(request.guest);
      const lines = [{ command: "ip link add x", undo: "ip link del x" }];
      const plan = { type: "plan" as const, guest: "web1", from: "host-a", to: request.to };
      return {
        ...plan,
        tunnel: "ipip",
        hosts: [{ host: "host-a", when: "prepare", lines }],
        warnings: [],
      };
    },
    startMigration: async () => ({ ...status, state: "planned" }),
    listMigrations: async () => ({ migrations: [status], next: null }),
    findMigrations: async () => [],
    getMigration: async (id) => (id === "m1" ? { ...status, error: null } : unknownId(id)),
    migrationEvents: () => eventsOf(phaseEvent, reportWith({})),
    hostEvents: () => hostEventsOf(phaseEvent),
    lastEventId: () => "e-0",
    cancelMigration: async () => status,
    resolveMigration: async (id, decision) => {
      if (id !== "m1") unknownId(id);
      return resolutionWith({ keep: decision.keep, confirmed: decision.confirm });
    },
    getReport: async () => reportWith({}),
    addProbeResults: async (_id, probes, flows) => reportWith({ probes, flows }),
    getThroughput: async () => null,
    doctor: async () => [],
    ...fakeInventory(),
    examinePeer: async () => [],
    ...fakeWebhooks(),
    ...changes,
  };
}

/** Of a guest that is at host-b under an address of its, and to whose old one somebody still talks. */
export function retirementWith(change: Partial<Retirement>): Retirement {
  const ends = { peer: "192.0.2.2:40012", guest: "10.1.0.10:7" };
  return {
    ...{ type: "retirement", guest: "web1", host: "host-b", home: "host-a" },
    ...{ freed: "10.1.0.10", renumbered: "10.2.0.50", reason: "by-hand", state: "described" },
    cut: [{ protocol: "tcp", ...ends, state: "ESTABLISHED", idle_s: 3 }],
    cut_count: 1,
    ...change,
  };
}

/** At the source of a migration in doubt whose destination does not answer. */
export function resolutionWith(change: Partial<ResolutionResult>): ResolutionResult {
  const written = { at: "2026-01-02T03:04:05.000Z", role: "source" as const, epoch: 1 };
  const journal = ["begin", "pausing", "promise", "in-doubt"].map((step) => ({ ...written, step }));
  return {
    ...{ type: "resolution", id: "m1", guest: "web1", keep: "source", role: "source" },
    here: { host: "host-a", run_state: "paused", held: false, journal },
    ...{ there: null, unreachable: "no answer", refusal: null, steps: ["web1 goes on at host-a"] },
    confirmed: false,
    status: { ...status, state: change.confirmed ? "rolled-back" : "in-doubt", ended_ms: 9 },
    ...change,
  };
}

/** Events with the ids `e-1`, `e-2` … */
export async function* eventsOf(...events: MigrationEvent[]): AsyncGenerator<FollowedEvent> {
  for (const [index, event] of events.entries()) yield { id: `e-${index + 1}`, event };
}

async function* hostEventsOf(event: MigrationEvent): AsyncGenerator<FollowedHostEvent> {
  yield { id: "e-1", event: { wall_clock_ms: 1, migration: status, event } };
}

function unknownGuest(name: string): never {
  throw preconditionError("SOJ_UNKNOWN_GUEST", `there is no guest ${name}`, {
    httpStatus: 404,
    hint: "sojourn guest ls",
    guestState: "untouched",
  });
}

function unknownId(id: string): never {
  throw preconditionError("SOJ_MIGRATION_UNKNOWN", `there is no ${id}`, { httpStatus: 404 });
}
