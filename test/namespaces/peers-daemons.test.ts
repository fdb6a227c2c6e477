import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, stat } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { HostSummary } from "../../src/daemon/inventory/schemas.ts";
import type { DoctorCheck } from "../../src/daemon/services.ts";
import { createDaemonHost, type DaemonHost } from "../support/daemon-host.ts";
import { receiveDatagrams } from "../support/datagrams.ts";
import { createTestAuthority, type TestAuthority } from "../support/host-certificates.ts";
import { connect, describeNamespace, nodePath } from "../support/namespaces.ts";
import { said } from "../support/sojourn-process.ts";

let authority: TestAuthority;
let stack: AsyncDisposableStack;
let hostA: DaemonHost;
let hostB: DaemonHost;

beforeAll(async () => {
  authority = await createTestAuthority("host-a", "host-b");
});
afterAll(() => authority[Symbol.asyncDispose]());

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  hostA = stack.use(await createHost("host-a", "172.16.1.2", { "host-b": "172.16.1.3" }));
  hostB = stack.use(await createHost("host-b", "172.16.1.3", { "host-a": "172.16.1.2" }));
  await connect(
    { namespace: hostA.namespace, device: "eth0", address: "172.16.1.2/24" },
    { namespace: hostB.namespace, device: "eth0", address: "172.16.1.3/24" },
  );
});
afterEach(() => stack.disposeAsync());

describe("a daemon", () => {
  it("answers, refuses a second one, and ends on SIGTERM with its socket gone", async () => {
    const first = hostA.start();
    await first.ready;
    expect(await hostA.run("guest", "ls", "--json")).toMatchObject({ exitCode: 0, stdout: "[]\n" });
    const second = await hostA.start().end;
    expect(second.exitCode).toBe(3);
    expect(second.stderr).toContain("SOJ_ALREADY_RUNNING");
    expect(await hostA.run("guest", "ls", "--json")).toMatchObject({ exitCode: 0 });
    first.child.kill("SIGTERM");
    expect((await first.end).exitCode).toBe(0);
    await expect(stat(hostA.socketPath)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("tells systemd when it is ready, that it is alive, and that it stops", async () => {
    await using systemd = await receiveDatagrams();
    const environment = { NOTIFY_SOCKET: systemd.socket, WATCHDOG_USEC: "1000000" };
    const { child, end } = hostA.start(environment);
    const ready = await systemd.heard("READY=1");
    expect(ready).toBe(`READY=1;MAINPID=${child.pid};STATUS=no migration under way`);
    await systemd.heard("WATCHDOG=1", 3);
    child.kill("SIGTERM");
    await systemd.heard("STOPPING=1");
    expect((await end).exitCode).toBe(0);
  });

  it("lets exactly one of two that start at once run", async () => {
    const both = [hostA.start(), hostA.start()];
    const ended = await Promise.race(both.map(async (one) => ({ one, result: await one.end })));
    expect(ended.result.stderr).toContain("SOJ_ALREADY_RUNNING");
    const other = both.find((one) => one !== ended.one);
    await other?.ready;
    expect(await hostA.run("guest", "ls", "--json")).toMatchObject({ exitCode: 0 });
    other?.child.kill("SIGTERM");
    await other?.end;
  });

  it("replaces the socket of one that was killed", async () => {
    const first = hostA.start();
    await first.ready;
    first.child.kill("SIGKILL");
    await first.end;
    expect((await stat(hostA.socketPath)).isSocket()).toBe(true);
    const second = hostA.start();
    await second.ready;
    expect(await hostA.run("guest", "ls", "--json")).toMatchObject({ exitCode: 0 });
    second.child.kill("SIGTERM");
    expect((await second.end).exitCode).toBe(0);
  });

  it("refuses a configuration with an unknown key, and changes nothing", async () => {
    await appendFile(hostA.configPath, 'adress = "x"\n');
    const { exitCode, stderr } = await hostA.start().end;
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/line \d+: unknown key peers\.host-b\.adress \[SOJ_CONFIG_INVALID\]/);
    await expect(stat(hostA.socketPath)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("refuses an address that is in use, and changes nothing", async () => {
    const before = await describeNamespace(hostA.namespace);
    await using _holder = await occupy(hostA, "172.16.1.2", 7707);
    const { exitCode, stderr } = await hostA.start().end;
    expect(exitCode).toBe(3);
    expect(stderr).toContain("SOJ_ADDRESS_IN_USE");
    await expect(stat(hostA.socketPath)).rejects.toMatchObject({ code: "ENOENT" });
    expect(await describeNamespace(hostA.namespace)).toEqual(before);
  });
});

describe("hosts", () => {
  it("tell each other what they are, and stay known when one is gone", async () => {
    const [a, b] = [hostA.start(), hostB.start()];
    await Promise.all([a.ready, b.ready]);
    const both = await hosts();
    expect(both.map(({ name, health }) => [name, health])).toEqual([
      ["host-a", "ok"],
      ["host-b", "ok"],
    ]);
    for (const { capacity, versions, tunnels, guest_subnets: subnets } of both) {
      expect(capacity).toMatchObject({ guests_running: 0, cpus: expect.any(Number) });
      expect(versions).toMatchObject({ protocol: 1, sojourn: expect.stringMatching(/^\d/) });
      expect(tunnels?.some(({ supported }) => supported)).toBe(true);
      expect(subnets).toHaveLength(1);
    }
    expect(await hostA.run("flows", "web9", "--json")).toMatchObject({
      ...{ exitCode: 3, stdout: expect.stringContaining("SOJ_GUEST_UNKNOWN") },
    });
    b.child.kill("SIGTERM");
    await b.end;
    await expect
      .poll(async () => (await hosts())[1], { timeout: 10_000 })
      .toMatchObject({
        ...{ reachable: false, health: "unreachable", error: { code: "SOJ_PEER_UNREACHABLE" } },
      });
    a.child.kill("SIGTERM");
    await a.end;
  });
});

describe("doctor", () => {
  it("finds a peer that answers, and one that does not", async () => {
    const [a, b] = [hostA.start(), hostB.start()];
    await Promise.all([a.ready, b.ready]);
    const good = await doctor("--peer", "host-b");
    expect(good.checks).toContainEqual(
      expect.objectContaining({ name: "peer host-b", result: "ok" }),
    );
    expect(good.exitCode).toBe(0);
    b.child.kill("SIGTERM");
    await b.end;
    const bad = await doctor("--peer", "host-b");
    expect(bad.exitCode).toBe(3);
    expect(bad.checks).toContainEqual(
      expect.objectContaining({ name: "peer host-b", result: "fail" }),
    );
    const unknown = await hostA.run("doctor", "--config", hostA.configPath, "--peer", "host-z");
    expect(unknown.exitCode).toBe(3);
    expect(unknown.stderr).toContain("SOJ_HOST_UNKNOWN");
    a.child.kill("SIGTERM");
    await a.end;
  });
});

async function hosts(): Promise<HostSummary[]> {
  const { stdout } = await hostA.run("host", "ls", "--json");
  return JSON.parse(stdout) as HostSummary[];
}

async function doctor(
  ...args: string[]
): Promise<{ exitCode: number | null; checks: DoctorCheck[] }> {
  const config = ["--config", hostA.configPath];
  const { exitCode, stdout } = await hostA.run("doctor", ...config, ...args, "--json");
  return { exitCode, checks: JSON.parse(stdout).checks };
}

/** A program of the host that listens there already. */
async function occupy(host: DaemonHost, address: string, port: number): Promise<AsyncDisposable> {
  const script = `require("node:net").createServer().listen(${port}, "${address}", () => console.log("listening"))`;
  const child = spawn("/usr/sbin/ip", [
    "netns",
    "exec",
    host.namespace.name,
    nodePath,
    "-e",
    script,
  ]);
  await said(child, "listening");
  return {
    [Symbol.asyncDispose]: async () => {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}

function createHost(
  name: "host-a" | "host-b",
  address: string,
  peers: Record<string, string>,
): Promise<DaemonHost> {
  const certificate = authority.hosts[name];
  if (certificate === undefined) throw new Error(`no certificate for ${name}`);
  const guestNetwork = name === "host-a" ? "10.1" : "10.2";
  return createDaemonHost({ name, address, certificate, peers, guestNetwork });
}
