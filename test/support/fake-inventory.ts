import type { BenchmarkServices, BenchmarkStatus } from "../../src/daemon/benchmarks/schemas.ts";
import type {
  FlowSummary,
  HostSummary,
  InventoryServices,
  TunnelSummary,
} from "../../src/daemon/inventory/schemas.ts";
import { preconditionError } from "../../src/platform/errors.ts";

export const host: HostSummary = {
  ...{ name: "host-a", address: "172.16.1.2:7707", local: true, reachable: true, health: "ok" },
  ...{ since_ms: 1, error: null, underlay_address: "172.16.1.2", guest_subnets: ["10.1.0.0/24"] },
  versions: { sojourn: "0.1.0", protocol: 1, qemu: "10.0.0", kernel: "6.1.0" },
  capacity: {
    ...{ cpus: 2, memory_total_bytes: 4 * 1024 ** 3, memory_available_bytes: 2 * 1024 ** 3 },
    ...{ accelerator: "tcg", guests_running: 1, guests_memory_bytes: 2 ** 27, guests_vcpus: 1 },
  },
  role: "host",
  tunnels: [{ kind: "ipip", datapath: "kernel", supported: true, reason: null }],
  problems: [],
};

export const tunnel: TunnelSummary = {
  ...{ interface: "sjt012345678", kind: "ipip", datapath: "kernel", mtu: 1480 },
  ...{ local_address: "172.16.1.2", remote_address: "172.16.2.2", remote_host: "host-b" },
  ...{ guests: ["web1"], wanted: true, state: "ok" },
  ...{ sent: { packets: 3, bytes: 300 }, received: { packets: 2, bytes: 200 } },
};

export function flowWith(change: Partial<FlowSummary>): FlowSummary {
  return {
    ...{ id: "0000000007", host: "host-a", guest_name: "web1" },
    ...{ protocol: "tcp", protocol_number: 6, peer: "192.0.2.2:40000", guest: "10.1.0.10:7" },
    ...{ direction: "in", state: "ESTABLISHED", established: true, path: "direct" },
    ...{ age_s: 62, idle_s: 3, icmp: null, nat: [], sent: null, received: null },
    expires_s: 431996,
    ...change,
  };
}

export const benchmark: BenchmarkStatus = {
  ...{ id: "b1", guest: "web1", to: "host-b", strategies: ["lossless"], runs: 2, load: ["echo"] },
  ...{ tunnel: "auto", state: "running", started_ms: 1, ended_ms: null, progress: null },
  ...{ error: null, result: null, folder: "/var/lib/sojourn/benchmarks/b1/results" },
};

/** One host, one tunnel, one flow, one benchmark. */
export function fakeInventory(): InventoryServices & BenchmarkServices {
  return {
    listHosts: async () => [host],
    showHost: async (name) => (name === host.name ? host : unknown("SOJ_HOST_UNKNOWN", name)),
    listTunnels: async () => [tunnel],
    listFlows: async (guest) =>
      guest === "web1" ? [flowWith({})] : unknown("SOJ_GUEST_UNKNOWN", guest),
    startBenchmark: async () => benchmark,
    listBenchmarks: async () => [benchmark],
    getBenchmark: async (id) =>
      id === benchmark.id ? benchmark : unknown("SOJ_BENCHMARK_UNKNOWN", id),
    cancelBenchmark: async () => ({ ...benchmark, state: "cancelling" }),
  };
}

function unknown(code: `SOJ_${string}`, name: string): never {
  throw preconditionError(code, `there is no ${name}`, { httpStatus: 404 });
}
