import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { DaemonServices, MigrationRequest } from "../../../src/daemon/services.ts";
import { preconditionError, SojournError } from "../../../src/platform/errors.ts";
import { exampleCommand, RunningExample } from "../../support/example.ts";
import {
  eventsOf,
  fakeServices,
  guest,
  phaseEvent,
  reportWith,
  status,
} from "../../support/fake-services.ts";
import { startLocalDaemon } from "../../support/local-daemon.ts";
import { TestTcpApi } from "../../support/tcp-api.ts";

interface Asked extends MigrationRequest {
  key: string | undefined;
}

const retryable = () =>
  new SojournError("SOJ_NOT_READY", "starting", { httpStatus: 503, retryable: true });

const guests = [guest, { ...guest, name: "web2", home: "host-c" }, { ...guest, name: "web3" }];

/** A host with three guests whose migrations all complete at once, after what `before` throws. */
function busyHost(before: (request: MigrationRequest, count: number) => void = () => {}) {
  const asked: Asked[] = [];
  const services: Partial<DaemonServices> = {
    listGuests: async () => guests,
    startMigration: async (request, conduct) => {
      asked.push({ ...request, key: conduct?.idempotencyKey });
      before(request, asked.length);
      return status;
    },
    getMigration: async () => ({ ...status, state: "completed", ended_ms: 5, error: null }),
  };
  return { asked, services: fakeServices(services) };
}

test("migrate.sh follows its migration across a connection that is lost", async () => {
  const { promise: followed, resolve: onFollowed } = Promise.withResolvers<void>();
  const asked: (string | undefined)[] = [];
  await using daemon = await startLocalDaemon(() =>
    fakeServices({
      startMigration: async (_, conduct) => {
        asked.push(conduct?.idempotencyKey);
        return status;
      },
      migrationEvents: async function* (_, signal, { afterId } = {}) {
        asked.push(afterId);
        if (afterId === undefined) {
          yield* eventsOf(phaseEvent);
          onFollowed();
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        } else yield { id: "e-2", event: reportWith({}) };
      },
    }),
  );
  const command = exampleCommand("migrate.sh", ["web1", "host-b", "change-7"]);
  await using script = new RunningExample(command, { SOJOURN_SOCKET: daemon.socketPath });
  await followed;
  await script.line(/^precopy$/);
  await daemon.restart();
  expect(await script.ended()).toBe(0);
  expect(script.lines.slice(0, 2)).toEqual(["migration m1", "precopy"]);
  expect(JSON.parse(script.lines[2] ?? "")).toMatchObject({ outcome: "completed" });
  expect(asked).toEqual(["change-7", undefined, "e-1"]);
});

test("migrate.sh asks another machine's daemon over TLS with a token", async () => {
  await using api = await TestTcpApi.start();
  const token = join(api.folder, "token");
  await writeFile(token, `${api.tokens.operate}\n`, { mode: 0o600 });
  const env = {
    SOJOURN_HOST: `https://127.0.0.1:${api.api.port}`,
    SOJOURN_CA_FILE: api.config.clientCaPath ?? "",
    SOJOURN_TOKEN_FILE: token,
  };
  await using script = new RunningExample(exampleCommand("migrate.sh", ["web1", "host-b"]), env);
  expect(await script.ended()).toBe(0);
  expect(script.lines.slice(0, 2)).toEqual(["migration m1", "precopy"]);
});

test("migrate.sh ends with 1 and the problem when the daemon refuses", async () => {
  await using daemon = await startLocalDaemon(() => fakeServices());
  const command = exampleCommand("migrate.sh", ["..", "host-b"]);
  await using script = new RunningExample(command, { SOJOURN_SOCKET: daemon.socketPath });
  expect(await script.ended()).toBe(1);
});

test("empty-host.mjs moves all guests away on a signal, asking again where it may", async () => {
  const { asked, services } = busyHost((request, count) => {
    if (count === 1) throw retryable();
    if (request.guest === "web3" && request.to === "host-b") {
      throw preconditionError("SOJ_HYPERVISOR_REFUSED", "no room");
    }
  });
  await using daemon = await startLocalDaemon(() => services);
  const command = exampleCommand("empty-host.mjs", ["host-a", "host-b", "host-d"]);
  await using controller = new RunningExample(command, { SOJOURN_SOCKET: daemon.socketPath });
  await controller.line(/^ready$/);
  controller.signal("SIGUSR1");
  await controller.line(/^empty$/);
  controller.signal("SIGTERM");
  expect(await controller.ended()).toBe(0);
  const wanted = ["web1 host-b", "web1 host-b", "web2 host-c", "web3 host-b", "web3 host-d"];
  const moves = asked.map(({ guest: name, to }) => `${name} ${to}`);
  expect(moves).toEqual([...wanted, ...wanted.slice(1)]);
  expect(asked[0]?.key).toBe(asked[1]?.key);
  expect(new Set(asked.map(({ key }) => key)).size).toBe(asked.length - 1);
});

test("alertmanager-evacuate.mjs evacuates once an alert, however often it is told", async () => {
  let isReady = false;
  const { asked, services } = busyHost(() => {
    if (!isReady) throw retryable();
  });
  await using api = await TestTcpApi.start({}, { services: () => services });
  const fileOf = async (name: string, text: string) => {
    await writeFile(join(api.folder, name), text, { mode: 0o600 });
    return join(api.folder, name);
  };
  const hosts = {
    "host-a": { url: `https://127.0.0.1:${api.api.port}`, to: ["host-b", "host-d"] },
    "host-y": { url: "https://127.0.0.1:1", to: ["host-b"] },
  };
  const config = await fileOf(
    "hosts.json",
    JSON.stringify({
      secret_file: await fileOf("secret", "from alertmanager\n"),
      token_file: await fileOf("token", `${api.tokens.operate}\n`),
      ca_file: api.config.clientCaPath,
      hosts,
    }),
  );
  const command = exampleCommand("alertmanager-evacuate.mjs", [config, "--port", "0"]);
  await using receiver = new RunningExample(command);
  const url = /http:\S+/.exec(await receiver.line(/^listening/))?.[0] ?? "";
  const alert = {
    ...{ status: "firing", fingerprint: "a1b2c3d4e5f60718", startsAt: "2026-01-02T03:04:05Z" },
    labels: { alertname: "HostDegraded", instance: "host-a", evacuate: "true" },
  };
  const others = [
    { ...alert, status: "resolved" },
    { ...alert, labels: { ...alert.labels, evacuate: "false" } },
    { ...alert, labels: { ...alert.labels, instance: "host-z" } },
  ];
  const tell = (body: string, secret = "from alertmanager") =>
    fetch(url, { method: "POST", body, headers: { authorization: `Bearer ${secret}` } });
  const body = JSON.stringify({ version: "4", alerts: [alert, ...others] });

  expect((await tell(body, "somebody else")).status).toBe(401);
  expect((await tell("{")).status).toBe(400);
  expect((await tell(body)).status).toBe(503);
  isReady = true;
  const unreachable = { ...alert, labels: { ...alert.labels, instance: "host-y" } };
  const withUnreachable = JSON.stringify({ version: "4", alerts: [unreachable, alert] });
  expect((await tell(withUnreachable)).status).toBe(503);
  await receiver.line(/^host-y not emptied: /);
  expect((await tell(body)).status).toBe(200);
  expect((await tell(body)).status).toBe(200);
  // A repetition is the same request with the same key: the daemon begins one migration of each.
  const requests = Map.groupBy(asked, ({ guest: name, to, key }) => `${name} ${to} ${key}`);
  const moves = [...requests.keys()].map((request) => request.replace(/ [0-9a-f]{64}$/, ""));
  expect(moves.toSorted()).toEqual(["web1 host-d", "web2 host-c", "web3 host-b"]);
  for (const repeated of requests.values()) expect(repeated.length).toBeGreaterThan(1);
});
