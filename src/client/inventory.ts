import type { BenchmarkServices } from "../daemon/benchmarks/schemas.ts";
import type { FlowSummary, InventoryServices } from "../daemon/inventory/schemas.ts";

/** One request to the API; the JSON of a 2xx answer. Throws what the daemon threw. */
export type Call = <Result>(
  method: "GET" | "POST",
  path: string,
  body?: unknown,
) => Promise<Result>;

export type InventoryClient = InventoryServices & BenchmarkServices;

const pageLength = 1_000;

/** Hosts, tunnels, flows and benchmarks as a client of the API sees them. */
export function inventoryClient(call: Call): InventoryClient {
  const one = (collection: string, name: string, action = "") =>
    `/v1/${collection}/${encodeURIComponent(name)}${action}`;
  return {
    listHosts: () => call("GET", `/v1/hosts?limit=${pageLength}`),
    showHost: (name) => call("GET", one("hosts", name)),
    listTunnels: () => call("GET", `/v1/tunnels?limit=${pageLength}`),
    listFlows: async (guest, { all = false } = {}) => {
      const flows: FlowSummary[] = [];
      for (let cursor = ""; ; ) {
        const query = `?all=${all}&limit=${pageLength}${cursor}`;
        const page: FlowSummary[] = await call("GET", one("guests", guest, `/flows${query}`));
        flows.push(...page);
        const last = page.at(-1);
        if (last === undefined || page.length < pageLength) return flows;
        cursor = `&cursor=${encodeURIComponent(last.id)}`;
      }
    },
    startBenchmark: (request) => call("POST", "/v1/benchmarks", request),
    listBenchmarks: () => call("GET", `/v1/benchmarks?limit=${pageLength}`),
    getBenchmark: (id) => call("GET", one("benchmarks", id)),
    cancelBenchmark: (id) => call("POST", one("benchmarks", id, "/cancel")),
  };
}
