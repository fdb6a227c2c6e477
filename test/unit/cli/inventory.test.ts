import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DaemonServices } from "../../../src/daemon/services.ts";
import { preconditionError } from "../../../src/platform/errors.ts";
import { benchmark, flowWith, host } from "../../support/fake-inventory.ts";
import { fakeServices, guest } from "../../support/fake-services.ts";
import { type LocalDaemon, startLocalDaemon } from "../../support/local-daemon.ts";
import { runSojourn } from "../../support/sojourn-process.ts";

let services: DaemonServices;
let daemon: LocalDaemon;

beforeEach(async () => {
  services = fakeServices();
  daemon = await startLocalDaemon(() => services);
});
afterEach(() => daemon[Symbol.asyncDispose]());

const run = (...args: string[]) => runSojourn(args, { SOJOURN_SOCKET: daemon.socketPath });

const silent = {
  ...{ ...host, name: "host-b", address: "172.16.2.2:7707", local: false, reachable: false },
  ...{
    health: "unreachable" as const,
    capacity: null,
    tunnels: null,
    guest_subnets: null,
    role: null,
  },
  versions: { sojourn: null, protocol: null, qemu: null, kernel: null },
  error: { code: "SOJ_PEER_UNREACHABLE", message: "no answer", hint: "does it run?" },
};

describe("sojourn host", () => {
  it("lists hosts, also those that do not answer", async () => {
    services = fakeServices({ listHosts: async () => [host, silent] });
    const { stdout, exitCode } = await run("host", "ls");
    expect(exitCode).toBe(0);
    expect(stdout.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
      ["HOST", "ROLE", "HEALTH", "GUESTS", "CPUS", "FREE", "SOJOURN", "QEMU", "ACCEL", "ADDRESS"],
      [
        "host-a",
        "host",
        "ok",
        "1",
        "2",
        "2.0 of 4.0 GiB",
        "0.1.0",
        "10.0.0",
        "tcg",
        "172.16.1.2:7707",
      ],
      ["host-b", "-", "unreachable", "-", "-", "-", "-", "-", "-", "172.16.2.2:7707"],
      [""],
    ]);
    expect(JSON.parse((await run("host", "ls", "--json")).stdout)).toEqual([host, silent]);
  });

  it("shows one, with its tunnel kinds, or with why it does not answer", async () => {
    const known = (await run("host", "show", "host-a")).stdout;
    expect(known).toContain("tunnel ipip (kernel): supported");
    expect(known).toContain("ok, reachable since 1970-01-01T00:00:00.001Z");
    services = fakeServices({ showHost: async () => silent });
    const unknown = (await run("host", "show", "host-b")).stdout;
    expect(unknown).toContain("no answer [SOJ_PEER_UNREACHABLE]");
    expect(unknown).not.toContain("cpus");
  });
});

describe("sojourn guest ls", () => {
  it("lists guests whose definitions are wrong beside the others, with what is wrong", async () => {
    const error = {
      ...{ code: "SOJ_GUEST_DEFINITION_INVALID", hint: null },
      message: "/etc/sojourn/guests/web2.toml: line 2: memory_mib: not a number",
    };
    const broken = { ...guest, name: "web2", state: "invalid" as const, host: null, addresses: [] };
    const invalid = { ...broken, memory_mib: 0, vcpus: 0, since_ms: null, error };
    services = fakeServices({ listGuests: async () => [guest, invalid] });
    const { stdout, exitCode } = await run("guest", "ls");
    expect(exitCode).toBe(0);
    expect(stdout.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
      ["GUEST", "STATE", "HOST", "HOME", "ADDRESSES", "MEMORY"],
      ["web1", "running", "host-a", "host-a", "127.0.0.1/24", "128 MiB"],
      ["web2", "invalid", "-", "host-a", "-", "-"],
      [`web2 is invalid: ${error.message} [${error.code}]`],
      [""],
    ]);
    expect(JSON.parse((await run("guest", "ls", "--json")).stdout)).toEqual([guest, invalid]);
  });
});

describe("sojourn flows", () => {
  it("lists a guest's flows: those that hold its redirect first, then the last active", async () => {
    const nat = [{ kind: "destination" as const, from: "172.16.1.2:80", to: "10.1.0.10:7" }];
    const counted = {
      sent: { packets: 2, bytes: 120 },
      received: { packets: 900, bytes: 1234567 },
    };
    const flow = flowWith({ nat, ...counted });
    const quiet = flowWith({ id: "1", path: "redirect", idle_s: 7_500, age_s: 93_784 });
    const ping = {
      protocol: "icmp",
      protocol_number: 1,
      peer: "192.0.2.9",
      guest: "10.1.0.10",
    } as const;
    const replied = flowWith({
      ...ping,
      path: "redirect",
      state: "REPLIED",
      age_s: null,
      direction: "out",
    });
    const flows = [flow, quiet, replied];
    services = fakeServices({ listFlows: async () => flows });
    const { stdout } = await run("flows", "web1");
    const ends = ["192.0.2.2:40000", "10.1.0.10:7", "ESTABLISHED", "in"];
    expect(stdout.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
      ["PROTOCOL", "PEER", "GUEST", "STATE", "DIRECTION", "PATH", "AGE", "IDLE", "BYTES", "NAT"],
      ["icmp", "192.0.2.9", "10.1.0.10", "REPLIED", "out", "redirect", "-", "3 s", "-", "-"],
      ["tcp", ...ends, "redirect", "1 d 2 h", "2 h 5 min", "-", "-"],
      [
        ...["tcp", ...ends, "direct", "1 min 2 s", "3 s", "1.2 MB in, 120 B out"],
        "destination, asked for 172.16.1.2:80",
      ],
      ["3 flows: 2 redirected, 1 direct"],
      [""],
    ]);
    expect(JSON.parse((await run("flows", "web1", "--json")).stdout)).toEqual(flows);
  });

  it("asks for what its options say", async () => {
    const asked: unknown[] = [];
    services = fakeServices({
      listFlows: async (_, query) => {
        asked.push(query);
        return [];
      },
    });
    await run("flows", "web1");
    await run("flows", "web1", "--all", "--path", "redirect");
    expect(asked).toEqual([{ all: false }, { all: true, path: "redirect" }]);
    expect((await run("flows", "web1", "--path", "elsewhere")).exitCode).toBe(2);
  });

  it("says that nothing is tracked, which is not the same as no flows", async () => {
    services = fakeServices({ listFlows: async () => [] });
    expect(await run("flows", "web1")).toMatchObject({ exitCode: 0, stdout: "none\n" });
    services = fakeServices({
      listFlows: async () => {
        throw preconditionError("SOJ_FLOWS_UNTRACKED", "no connection tracking");
      },
    });
    expect(await run("flows", "web1")).toMatchObject({
      ...{ exitCode: 3, stderr: expect.stringContaining("SOJ_FLOWS_UNTRACKED") },
    });
  });
});

describe("sojourn bench", () => {
  it("leaves a guest alone that a benchmark of the daemon's has", async () => {
    services = fakeServices({ listBenchmarks: async () => [{ ...benchmark, state: "running" }] });
    const { stdout, exitCode } = await run("bench", "--guest", "web1", "--to", "host-b", "--json");
    expect(exitCode).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ code: "SOJ_BENCHMARK_RUNNING", retryable: true });
  });
});
