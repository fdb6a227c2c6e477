import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HostDescription } from "../../../../src/daemon/inventory/host-description.ts";
import { Hosts, type HostsOptions } from "../../../../src/daemon/inventory/hosts.ts";
import { describeLocalHost, parseMemory } from "../../../../src/daemon/inventory/local-host.ts";
import { SojournError } from "../../../../src/platform/errors.ts";
import { FakeClock } from "../../platform/fake-clock.ts";
import { description } from "../peer-host.ts";

let clock: FakeClock;
let answers: Record<string, () => unknown>;
let asked: string[];
let standing: boolean;
let inMaintenance: boolean;

beforeEach(() => {
  clock = new FakeClock();
  asked = [];
  standing = false;
  inMaintenance = false;
  answers = { "describe-host": () => description };
});
afterEach(() => clock[Symbol.dispose]());

const config = {
  host: { name: "host-a", underlayAddress: "172.16.1.2" },
  peerApi: { listen: { address: "172.16.1.2", port: 7707 } },
  guestNetworks: [{ subnet: "10.1.0.0/24", gateway: "10.1.0.1", bridge: "guests0" }],
  peers: new Map([["host-b", { address: "172.16.2.2", port: 7707 }]]),
};

function hostsWith(describeHere: () => Promise<HostDescription> = async () => here) {
  const call = async (name: string) => {
    asked.push(name);
    const answer = answers[name];
    if (answer === undefined) throw refusal("SOJ_UNKNOWN_PROCEDURE");
    return answer();
  };
  return new Hosts({
    config: config as unknown as HostsOptions["config"],
    describe: describeHere,
    peer: (name) => ({ peer: name, call }) as unknown as ReturnType<HostsOptions["peer"]>,
    isGuestStanding: () => standing,
    isInMaintenance: () => inMaintenance,
  });
}

describe("hosts", () => {
  it("are this one and its peers, with what each tells of itself", async () => {
    const [first, second] = await hostsWith().list();
    expect(first).toMatchObject({ name: "host-a", local: true, health: "ok", reachable: true });
    expect(second).toMatchObject({
      ...{ name: "host-b", address: "172.16.2.2:7707", local: false, health: "ok" },
      ...{ versions: description.versions, capacity: description.capacity, error: null },
    });
  });

  it("of an earlier release tell no more than their greeting", async () => {
    answers = {
      hello: () => ({
        ...{ protocol_version: 1, host: "host-b", underlay_address: "172.16.2.2" },
        guest_subnets: ["10.2.0.0/24"],
      }),
    };
    expect(await hostsWith().show("host-b")).toMatchObject({
      ...{ reachable: true, health: "unknown", guest_subnets: ["10.2.0.0/24"], capacity: null },
      versions: { sojourn: null, protocol: 1, qemu: null, kernel: null },
    });
    expect(asked).toEqual(["describe-host", "hello"]);
  });

  it("that do not answer say why and since when, until they do again", async () => {
    const hosts = hostsWith();
    const upSinceMs = (await hosts.show("host-b")).since_ms;
    answers["describe-host"] = () => {
      throw refusal("SOJ_PEER_UNREACHABLE");
    };
    clock.stall(10_000);
    const down = await hosts.show("host-b");
    expect(down).toMatchObject({
      ...{ reachable: false, health: "unreachable", versions: { sojourn: null } },
      ...{ error: { code: "SOJ_PEER_UNREACHABLE", hint: "mend it" } },
      since_ms: upSinceMs + 10_000,
    });
    clock.stall(10_000);
    expect((await hosts.show("host-b")).since_ms).toBe(down.since_ms);
    answers["describe-host"] = () => description;
    clock.stall(10_000);
    expect((await hosts.show("host-b")).since_ms).toBe(down.since_ms + 20_000);
  });

  it("that answer with an error are reachable and of no use", async () => {
    answers["describe-host"] = () => {
      throw refusal("SOJ_NOT_READY");
    };
    expect(await hostsWith().show("host-b")).toMatchObject({
      ...{ reachable: true, health: "degraded", error: { code: "SOJ_NOT_READY" } },
    });
  });

  it("with problems, or another protocol, are degraded", async () => {
    const versions = { ...description.versions, protocol: 9 };
    answers["describe-host"] = () => ({ ...description, versions });
    expect(await hostsWith().show("host-b")).toMatchObject({
      ...{ health: "degraded", problems: [{ code: "SOJ_PROTOCOL_VERSION" }] },
    });
  });

  it("are asked once in 3 s however many ask, and never while a guest of ours stands", async () => {
    const hosts = hostsWith();
    await Promise.all(Array.from({ length: 200 }, () => hosts.list()));
    expect(asked).toHaveLength(1);
    standing = true;
    clock.stall(60_000);
    expect(await hosts.list()).toHaveLength(2);
    expect(asked).toHaveLength(1);
  });

  it("tell their maintenance, this one as it is now", async () => {
    const hosts = hostsWith();
    answers["describe-host"] = () => ({ ...description, maintenance: true });
    expect(await hosts.list()).toMatchObject([{ maintenance: false }, { maintenance: true }]);
    inMaintenance = true;
    expect(await hosts.show("host-a")).toMatchObject({ maintenance: true });
    expect(await hosts.description()).toMatchObject({ maintenance: true });
  });

  it("that are not known are an error with the names of those that are", async () => {
    await expect(hostsWith().show("host-z")).rejects.toMatchObject({
      ...{ code: "SOJ_HOST_UNKNOWN", httpStatus: 404, hint: "hosts: host-a, host-b" },
    });
  });
});

describe("this host's description", () => {
  const options = {
    config,
    capabilities: async () => ({ version: "10.0.2", accelerator: "tcg" as const }),
    tunnels: {
      support: async () => [
        { kind: "ipip" as const, datapath: "bpf" as const, supported: true, reason: null },
      ],
    },
    runningGuests: () => [
      { memory_mib: 128, vcpus: 1 },
      { memory_mib: 256, vcpus: 2 },
    ],
    problems: () => [],
  };

  it("has its capacity, its versions and what runs on it", async () => {
    const told = await describeLocalHost(options)();
    expect(told).toMatchObject({
      ...{ host: "host-a", guest_subnets: ["10.1.0.0/24"], problems: [] },
      versions: { sojourn: expect.stringMatching(/^\d+\.\d+\.\d+/), qemu: "10.0.2" },
      capacity: { guests_running: 2, guests_memory_bytes: 384 * 1024 ** 2, guests_vcpus: 3 },
    });
    expect(told.capacity.cpus).toBeGreaterThan(0);
    const { memory_total_bytes: total, memory_available_bytes: available } = told.capacity;
    expect(total).toBeGreaterThan(available);
    expect(available).toBeGreaterThan(0);
  });

  it("names what is missing", async () => {
    const capabilities = async () => {
      throw refusal("SOJ_TOOL_MISSING");
    };
    const unsupported = { kind: "ipip" as const, datapath: "kernel" as const, supported: false };
    const tunnels = { support: async () => [{ ...unsupported, reason: "not there" }] };
    const told = await describeLocalHost({ ...options, capabilities, tunnels })();
    expect(told.versions.qemu).toBeNull();
    expect(told.problems.map(({ code }) => code)).toEqual([
      "SOJ_TOOL_MISSING",
      "SOJ_TUNNEL_UNSUPPORTED",
    ]);
  });

  it("reads the kernel's figures of memory", () => {
    const text = "MemTotal:        2048 kB\nMemFree:   1 kB\nMemAvailable:    1024 kB\n";
    expect(parseMemory(text)).toEqual({ totalBytes: 2_097_152, availableBytes: 1_048_576 });
    expect(() => parseMemory("MemTotal: 1 kB\n")).toThrow("MemAvailable");
  });
});

const here: HostDescription = {
  ...description,
  ...{ host: "host-a", underlay_address: "172.16.1.2" },
};

function refusal(code: `SOJ_${string}`): SojournError {
  return new SojournError(code, "no", { hint: "mend it" });
}
