import type { BenchmarkServices, BenchmarkStatus } from "../daemon/benchmarks/schemas.ts";
import type {
  FlowSummary,
  HostSummary,
  InventoryServices,
  TunnelSummary,
} from "../daemon/inventory/schemas.ts";
import type { Connection } from "./connection.ts";
import { eachItem } from "./pages.ts";
import { pathOf, type Query } from "./paths.ts";

export type InventoryClient = InventoryServices & BenchmarkServices;

/** Hosts, tunnels, flows and benchmarks as a client of the API sees them. */
export function inventoryClient(connection: Connection): InventoryClient {
  const all = <Item>(path: readonly string[], query?: Query) =>
    Array.fromAsync(eachItem<Item>(connection, path, query));
  return {
    listHosts: () => all<HostSummary>(["v1", "hosts"]),
    showHost: (name) => connection.json({ method: "GET", path: pathOf(["v1", "hosts", name]) }),
    listTunnels: () => all<TunnelSummary>(["v1", "tunnels"]),
    listFlows: (guest, query = {}) =>
      all<FlowSummary>(["v1", "guests", guest, "flows"], { ...query, all: query.all ?? false }),
    startBenchmark: (request) =>
      connection.json({ method: "POST", path: "/v1/benchmarks", body: request }),
    listBenchmarks: () => all<BenchmarkStatus>(["v1", "benchmarks"]),
    getBenchmark: (id) =>
      connection.json({ method: "GET", path: pathOf(["v1", "benchmarks", id]) }),
    cancelBenchmark: (id) =>
      connection.json({ method: "POST", path: pathOf(["v1", "benchmarks", id, "cancel"]) }),
  };
}
