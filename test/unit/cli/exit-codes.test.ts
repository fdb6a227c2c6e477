import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DaemonServices } from "../../../src/daemon/services.ts";
import { preconditionError, SojournError } from "../../../src/platform/errors.ts";
import {
  eventsOf,
  fakeServices,
  phaseEvent,
  reportWith,
  status,
} from "../../support/fake-services.ts";
import { type LocalDaemon, startLocalDaemon } from "../../support/local-daemon.ts";
import { finished, runSojourn, said, spawnSojourn } from "../../support/sojourn-process.ts";

let services: DaemonServices;
let daemon: LocalDaemon;

beforeEach(async () => {
  services = fakeServices();
  daemon = await startLocalDaemon(() => services);
});
afterEach(() => daemon[Symbol.asyncDispose]());

const move = ["migrate", "web1", "--to", "host-b"];

describe("exit codes", () => {
  it.each([
    [0, reportWith({})],
    [8, reportWith({ budget_ms: 10, within_budget: false })],
    [4, reportWith({ outcome: "rolled-back" })],
    [5, reportWith({ outcome: "in-doubt" })],
    [6, reportWith({ outcome: "cancelled" })],
    [9, reportWith({ outcome: "guest-lost" })],
  ])("%i tells the outcome, and the report is the last line", async (exitCode, report) => {
    services = fakeServices({ migrationEvents: () => eventsOf(phaseEvent, report) });
    const result = await run(...move, "--json");
    expect(result.exitCode).toBe(exitCode);
    expect(result.records).toEqual([phaseEvent, report]);
    expect((await run(...move)).exitCode).toBe(exitCode);
  });

  it("is that of the error a migration ends with", async () => {
    const error = new SojournError("SOJ_BARRIER", "step barrier: no answer", {
      exitCode: 4,
      guestState: "running-at-source",
      hint: "try again",
    });
    services = fakeServices({ migrationEvents: () => eventsOf(phaseEvent, error.toRecord()) });
    const result = await run(...move, "--json");
    expect(result.exitCode).toBe(4);
    expect(result.records.at(-1)).toEqual(error.toRecord());
    const { stderr } = await run(...move);
    expect(stderr).toContain("step barrier: no answer [SOJ_BARRIER]");
    expect(stderr).toContain("guest: runs at the source");
    expect(stderr).toContain("hint: try again");
  });

  it("is 3 for an unknown guest or id, before anything is started", async () => {
    let started = 0;
    services = fakeServices({
      startMigration: async () => {
        started += 1;
        throw preconditionError("SOJ_GUEST_BUSY", "web1 is moving already");
      },
    });
    for (const args of [
      ["migrate", "web9", "--to", "host-b"],
      ["guest", "show", "web9"],
      ["status", "m9"],
      ["watch", "m9"],
    ]) {
      const result = await run(...args, "--json");
      expect(result.exitCode).toBe(3);
      expect(result.records.at(-1)).toMatchObject({ type: "error", exit_code: 3 });
    }
    expect(started).toBe(0);
    expect(await run(...move, "--json")).toMatchObject({
      exitCode: 3,
      records: [{ code: "SOJ_GUEST_BUSY" }],
    });
  });

  it("is 4 for a benchmark without one good run, whose summary is still the last line", async () => {
    services = fakeServices({
      listBenchmarks: async () => [],
      startMigration: async () => {
        throw preconditionError("SOJ_STREAM_REFUSED", "no way");
      },
    });
    const bench = ["bench", "--guest", "web1", "--to", "host-b", "--runs", "1", "--load", "packet"];
    const result = await run(...bench, "--strategies", "lossless", "--json");
    expect(result.exitCode, result.stderr).toBe(4);
    expect(result.records.at(-1)).toMatchObject({
      strategies: { lossless: { runs: 0, failed: 1 } },
    });
    expect(result.stderr).toContain("lossless: 1 of 1 runs failed; the last time: no way");
  });

  it.each([
    [["nosuch"]],
    [["migrate", "web1"]],
    [["migrate", "web1", "--to", "host-b", "--tunnel", "carrier-pigeon"]],
    [["migrate", "web1", "--to", "host-b", "--max-outage", "soon"]],
    [["migrate", "web1", "--to", "host-b", "--probe", "icmp"]],
    [["migrate", "web1", "--to", "host-b", "--renumber", "10.2.0"]],
    [["migrate", "web1", "--to", "host-b", "--drain-idle", "5"]],
    [["migrate", "web1", "--to", "host-b", "--renumber", "auto", "--strategy", "flip"]],
    [["migrate", "../x", "--to", "host-b"]],
    [["guest"]],
    [["status", "--unknown"]],
    [["pki", "issue", "a b", "--dir", "/nonexistent"]],
  ])("is 2 for wrong usage: %j", async (args) => {
    const people = await run(...args);
    expect(people.exitCode).toBe(2);
    expect(people.stdout).toBe("");
    expect(people.stderr).toContain("[SOJ_");
    const programs = await run(...args, "--json");
    expect(programs.exitCode).toBe(2);
    expect(programs.records).toMatchObject([{ type: "error", exit_code: 2 }]);
  });

  it("is 7 when no daemon answers", async () => {
    const result = await runSojourn(["guest", "ls"], { SOJOURN_SOCKET: "/nonexistent.sock" });
    expect(result.exitCode).toBe(7);
    expect(result.stderr).toContain("sojourn daemon --config");
  });

  it("is 0 for help, 3 for a prober without an answer", async () => {
    expect((await run("--help")).stdout).toContain("migrate");
    expect((await run("migrate", "--help")).exitCode).toBe(0);
    const silent = await run(...move, "--probe", "tcp-echo:1", "--json");
    expect(silent).toMatchObject({ exitCode: 3, records: [{ code: "SOJ_PROBE_NO_ANSWER" }] });
  });
});

describe("commands", () => {
  it("print the plan with its undo and start nothing", async () => {
    const { exitCode, stdout } = await run(...move, "--dry-run");
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      "# on host-a, before the guest is touched\nip link add x\n#  undo: ip link del x",
    );
    expect((await run(...move, "--dry-run", "--json")).records).toMatchObject([{ type: "plan" }]);
  });

  it("measure from before the move until it has settled", async () => {
    await using echo = await startEchoServer();
    const put: unknown[] = [];
    services = fakeServices({
      migrationEvents: () => eventsOf({ ...phaseEvent, phase: "resumed" }, reportWith({})),
      addProbeResults: async (_id, probes, flows) => {
        put.push(flows);
        return reportWith({ probes, flows });
      },
    });
    const result = await run(...move, "--probe", `tcp-echo:${echo.port}`, "--json");
    expect(result.exitCode).toBe(0);
    expect(put).toEqual([{ established: 1, survived: 1 }]);
    const probes = { tcp_echo: { sessions: 1, broken: 0, floor_ms: expect.any(Number) } };
    expect(result.records.at(-1)).toMatchObject({ type: "report", probes });
  });

  it("detach with the id", async () => {
    expect((await run(...move, "--detach")).stdout).toBe("m1\n");
  });

  it("leave the migration alone on Ctrl-C", async () => {
    services = fakeServices({
      migrationEvents: async function* (_id, signal) {
        yield* eventsOf(phaseEvent);
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    const child = spawnSojourn(move, { SOJOURN_SOCKET: daemon.socketPath });
    const end = finished(child);
    await said(child, "precopy");
    child.kill("SIGINT");
    const { stderr } = await end;
    expect(stderr).toContain("migration m1 goes on");
    expect(stderr).toContain("sojourn watch m1");
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "with --abort-on-exit cancel on %s and tell what became of it",
    async (signalName) => {
      const ended = Promise.withResolvers<void>();
      const cancelled = new SojournError("SOJ_CANCELLED", "cancelled", { exitCode: 6 });
      const conducts: unknown[] = [];
      services = fakeServices({
        startMigration: async (_request, conduct) => {
          conducts.push(conduct);
          return { ...status, state: "planned" };
        },
        cancelMigration: async () => {
          ended.resolve();
          return status;
        },
        migrationEvents: async function* (_id, _signal, options) {
          conducts.push(options);
          yield* eventsOf(phaseEvent);
          await ended.promise;
          yield* eventsOf(cancelled.toRecord());
        },
      });
      const child = spawnSojourn([...move, "--abort-on-exit", "--json"], {
        SOJOURN_SOCKET: daemon.socketPath,
      });
      const end = finished(child);
      await said(child, "precopy");
      child.kill(signalName);
      const { exitCode, stdout } = await end;
      expect(exitCode).toBe(6);
      expect(stdout).toContain("SOJ_CANCELLED");
      expect(conducts).toEqual([{ abortUnlessFollowed: true }, { abortOnDisconnect: true }]);
    },
  );

  it("follow the migration that an earlier request with their key began", async () => {
    services = fakeServices({
      findMigrations: async (key) => (key === "k1" ? [status] : []),
      planMigration: async () => {
        throw preconditionError("SOJ_GUEST_BUSY", "web1 is moving already");
      },
    });
    const again = await run(...move, "--idempotency-key", "k1", "--json");
    expect(again).toMatchObject({ exitCode: 0, records: [phaseEvent, reportWith({})] });
    const other = await run(...move, "--idempotency-key", "k2", "--json");
    expect(other).toMatchObject({ exitCode: 3, records: [{ code: "SOJ_GUEST_BUSY" }] });
    expect((await run(...move, "--idempotency-key", "a b")).exitCode).toBe(2);
    expect((await run(...move, "--abort-on-exit", "--detach")).exitCode).toBe(2);
  });

  it("tell their version", async () => {
    expect((await run("--version")).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("end quietly when their reader goes away", async () => {
    const many = Array.from({ length: 5_000 }, () => phaseEvent);
    services = fakeServices({ migrationEvents: () => eventsOf(...many, reportWith({})) });
    const child = spawnSojourn(["watch", "m1", "--json"], { SOJOURN_SOCKET: daemon.socketPath });
    const head = spawn("/usr/bin/head", ["-n", "1"], { stdio: ["pipe", "ignore", "inherit"] });
    child.stdout?.pipe(head.stdin);
    head.stdin.on("error", () => child.stdout?.destroy());
    head.on("exit", () => child.stdout?.destroy());
    let stderr = "";
    child.stderr?.on("data", (data) => {
      stderr += data;
    });
    await new Promise((resolve) => child.on("exit", resolve));
    expect(stderr).toBe("");
  });
});

async function startEchoServer(): Promise<AsyncDisposable & { port: number }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => promisify(server.close.bind(server))(),
  };
}

async function run(...args: string[]) {
  const result = await runSojourn(args, { SOJOURN_SOCKET: daemon.socketPath });
  const json = args.includes("--json");
  const lines = result.stdout.split("\n").filter((line) => line !== "");
  return { ...result, records: json ? lines.map((line) => JSON.parse(line)) : [] };
}
