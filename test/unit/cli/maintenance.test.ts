import { afterEach, beforeEach, expect, test } from "vitest";
import type { MaintenanceStatus } from "../../../src/client/index.ts";
import type { DaemonServices } from "../../../src/daemon/services.ts";
import { host } from "../../support/fake-inventory.ts";
import { fakeServices, maintenance } from "../../support/fake-services.ts";
import { type LocalDaemon, startLocalDaemon } from "../../support/local-daemon.ts";
import { runSojourn } from "../../support/sojourn-process.ts";

let daemon: LocalDaemon;
let current: MaintenanceStatus;

beforeEach(async () => {
  current = maintenance;
  const services: DaemonServices = fakeServices({
    showMaintenance: async () => current,
    setMaintenance: async ({ on, reason = null }) => {
      current = { ...current, on, reason, since_ms: on ? 1_767_225_600_000 : null };
      return current;
    },
    listHosts: async () => [{ ...host, maintenance: current.on }],
  });
  daemon = await startLocalDaemon(() => services);
});
afterEach(() => daemon[Symbol.asyncDispose]());

const run = (...args: string[]) => runSojourn(args, { SOJOURN_SOCKET: daemon.socketPath });

test("an empty reason is refused before anybody is asked", async () => {
  const { exitCode, stderr } = await run("maintenance", "on", "--reason", "");
  expect(exitCode).toBe(2);
  expect(stderr).toContain("error: --reason is empty [SOJ_USAGE]");
  expect(current.on).toBe(false);
});

test("maintenance begins with a reason, and ends", async () => {
  const on = await run("maintenance", "on", "--reason", "new memory");
  expect(on).toMatchObject({ exitCode: 0 });
  expect(on.stdout.split("\n")).toEqual([
    "host-a is in maintenance since 2026-01-01T00:00:00.000Z (new memory)",
    "guests here: web1",
    "",
  ]);
  current = { ...current, guests: [], home_of: ["web1", "web2"] };
  expect((await run("maintenance", "off")).stdout.split("\n")).toEqual([
    "host-a takes guests",
    "no guest runs here",
    "elsewhere, with their traffic through this host: web1, web2",
    "",
  ]);
});

test("it is told where the host is looked at", async () => {
  current = { ...maintenance, on: true, reason: "new memory", since_ms: 1_767_225_600_000 };
  const [status, hosts, shown] = await Promise.all([
    run("status"),
    run("host", "ls"),
    run("maintenance", "show", "--json"),
  ]);
  expect(status.stdout).toContain("host-a is in maintenance");
  expect(hosts.stdout).toContain("ok, maintenance");
  expect(JSON.parse(shown.stdout)).toEqual(current);
  current = maintenance;
  expect((await run("status")).stdout).not.toContain("maintenance");
});

test("a reason that is too long is refused, with nothing changed", async () => {
  const refused = await run("maintenance", "on", "--reason", "x".repeat(201), "--json");
  expect(refused.exitCode).toBe(2);
  expect(JSON.parse(refused.stdout)).toMatchObject({ type: "error" });
  expect(current.on).toBe(false);
});
