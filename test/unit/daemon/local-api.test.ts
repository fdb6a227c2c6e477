import { stat } from "node:fs/promises";
import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DaemonServices, MigrationRequest } from "../../../src/daemon/services.ts";
import { preconditionError, SojournError } from "../../../src/platform/errors.ts";
import {
  eventsOf,
  fakeServices,
  guest,
  phaseEvent,
  reportWith,
  status,
} from "../../support/fake-services.ts";
import { type LocalDaemon, startLocalDaemon } from "../../support/local-daemon.ts";

let services: DaemonServices;
let starting: boolean;
let daemon: LocalDaemon;

beforeEach(async () => {
  services = fakeServices();
  starting = false;
  daemon = await startLocalDaemon(() => {
    if (starting) throw new SojournError("SOJ_NOT_READY", "starting", { httpStatus: 503 });
    return services;
  });
});
afterEach(() => daemon[Symbol.asyncDispose]());

describe("the local API", () => {
  it("is on a socket for root and its group only", async () => {
    expect((await stat(daemon.socketPath)).mode & 0o777).toBe(0o660);
  });

  it("tells its health only when it is ready", async () => {
    expect(await daemon.client.health()).toMatchObject({ status: "ok", host: "host-a" });
    starting = true;
    await expect(daemon.client.health()).rejects.toMatchObject({ code: "SOJ_NOT_READY" });
  });

  it("serves guests", async () => {
    expect(await daemon.client.listGuests()).toEqual([guest]);
    expect(await daemon.client.stopGuest("web1")).toMatchObject({ state: "stopped", host: null });
    await expect(daemon.client.showGuest("web9")).rejects.toMatchObject({
      code: "SOJ_UNKNOWN_GUEST",
      exitCode: 3,
      httpStatus: 404,
      hint: "sojourn guest ls",
      guestState: "untouched",
    });
    await expect(daemon.client.showGuest("../x")).rejects.toMatchObject({ code: "SOJ_BAD_NAME" });
  });

  it("starts a migration or only plans it", async () => {
    const seen: [string, MigrationRequest][] = [];
    services = fakeServices({
      startMigration: async (wanted) => {
        seen.push(["start", wanted]);
        return { ...status, state: "planned" };
      },
    });
    const wanted: MigrationRequest = { guest: "web1", to: "host-b", tunnel: "vxlan", timeout_s: 9 };
    expect(await daemon.client.planMigration(wanted)).toMatchObject({ type: "plan" });
    expect(seen).toEqual([]);
    expect(await daemon.client.startMigration(wanted)).toMatchObject({
      id: "m1",
      state: "planned",
    });
    expect(seen).toEqual([["start", wanted]]);
  });

  it("passes on the key of a request, and finds its migration", async () => {
    const seen: unknown[] = [];
    services = fakeServices({
      startMigration: async (_wanted, conduct) => {
        seen.push(conduct);
        return { ...status, state: "planned" };
      },
      findMigrations: async (key) => (key === "k&1" ? [status] : []),
    });
    const wanted: MigrationRequest = { guest: "web1", to: "host-b" };
    const conduct = { idempotencyKey: "k&1", abortUnlessFollowed: true };
    await daemon.client.startMigration(wanted, conduct);
    await daemon.client.startMigration(wanted);
    expect(seen).toEqual([conduct, { abortUnlessFollowed: false }]);
    await expect(
      daemon.client.startMigration(wanted, { idempotencyKey: "two words" }),
    ).rejects.toMatchObject({ code: "SOJ_BAD_IDEMPOTENCY_KEY", exitCode: 2, httpStatus: 400 });
    expect(await daemon.client.findMigrations("k&1")).toEqual([status]);
    expect(await daemon.client.findMigrations("k2")).toEqual([]);
  });

  it("streams events until the result, then ends", async () => {
    const seen: unknown[] = [];
    const never = new AbortController().signal;
    for await (const event of daemon.client.migrationEvents("m1", never)) seen.push(event);
    expect(seen).toEqual([phaseEvent, reportWith({})]);
    const unknown = daemon.client.migrationEvents("m9", never)[Symbol.asyncIterator]();
    await expect(unknown.next()).rejects.toMatchObject({ code: "SOJ_MIGRATION_UNKNOWN" });
  });

  it("tells the services when a follower goes away", async () => {
    const gone = Promise.withResolvers<void>();
    const tied: unknown[] = [];
    services = fakeServices({
      migrationEvents: async function* (_id, signal, options) {
        tied.push(options?.abortOnDisconnect);
        signal.addEventListener("abort", () => gone.resolve());
        yield* eventsOf(phaseEvent);
        await gone.promise;
      },
    });
    const detach = new AbortController();
    const seen: unknown[] = [];
    const options = { abortOnDisconnect: true };
    for await (const event of daemon.client.migrationEvents("m1", detach.signal, options)) {
      seen.push(event);
      detach.abort();
    }
    await gone.promise;
    expect(tied).toEqual([true]);
    expect(seen).toEqual([phaseEvent]);
  });

  it("ends a stream that fails with the error, and one that is cut with its own", async () => {
    const never = new AbortController().signal;
    services = fakeServices({
      migrationEvents: async function* () {
        yield* eventsOf(phaseEvent);
        throw preconditionError("SOJ_GUEST_BUSY", "no");
      },
    });
    const last = (await collect(daemon.client.migrationEvents("m1", never))).at(-1);
    expect(last).toMatchObject({ type: "error", code: "SOJ_GUEST_BUSY" });
    services = fakeServices({
      migrationEvents: async function* () {
        yield* eventsOf(phaseEvent);
      },
    });
    const cut = daemon.client.migrationEvents("m1", never, { patienceMs: 0 });
    await expect(collect(cut)).rejects.toMatchObject({
      code: "SOJ_DAEMON_UNREACHABLE",
      exitCode: 7,
    });
  });

  it("merges probe results of the right shape", async () => {
    const kernel = { retransmissions: 2, rto: 0 };
    const echo = { outage_ms: 27.9, floor_ms: 6.1, sessions: 1, broken: 0, ...kernel };
    const flows = { established: 1, survived: 1 };
    const merged = await daemon.client.addProbeResults("m1", { tcp_echo: echo }, flows);
    expect(merged).toEqual(reportWith({ probes: { tcp_echo: echo }, flows }));
    const wrong = { tcp_echo: { ...echo, broken: -1 } };
    await expect(daemon.client.addProbeResults("m1", wrong, flows)).rejects.toMatchObject({
      code: "SOJ_USAGE",
      httpStatus: 400,
    });
  });

  it.each([
    ["garbage", "{", 400],
    ["an unknown key", '{"guest":"web1","to":"b","speed":1}', 400],
    ["a bad name", '{"guest":"web 1","to":"b"}', 400],
    ["a negative budget", '{"guest":"web1","to":"b","max_outage_ms":-1}', 400],
    ["too much", JSON.stringify({ guest: "x".repeat(60_000), to: "b" }), 413],
  ])("refuses a body with %s", async (_what, body, expected) => {
    const { status, text } = await post("/v1/migrations", body);
    expect(status).toBe(expected);
    expect(JSON.parse(text)).toMatchObject({ status, exit_code: 2 });
  });

  it("answers an unknown route with an error record", async () => {
    const { status, text } = await post("/v1/nothing", "{}");
    expect(status).toBe(404);
    expect(JSON.parse(text)).toMatchObject({ status: 404, code: "SOJ_UNKNOWN_ROUTE" });
  });
});

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function post(path: string, body: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const { socketPath } = daemon;
    const sent = request({ socketPath, path, method: "POST", headers }, async (response) => {
      const chunks = await collect(response as AsyncIterable<Buffer>);
      resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
