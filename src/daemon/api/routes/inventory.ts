import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";
import { addBenchmarkRoutes } from "./benchmarks.ts";
import { addFlowRoutes } from "./flows.ts";
import { addHostRoutes } from "./hosts.ts";
import { addTunnelRoutes } from "./tunnels.ts";

/** Hosts, tunnels, flows, benchmarks. */
export function addInventoryRoutes(app: Api, services: () => DaemonServices): void {
  addHostRoutes(app, services);
  addTunnelRoutes(app, services);
  addFlowRoutes(app, services);
  addBenchmarkRoutes(app, services);
}
