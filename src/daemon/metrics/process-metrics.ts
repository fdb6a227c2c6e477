import { collectDefaultMetrics } from "prom-client";
import type { HostRole } from "../../migrator/host-role.ts";
import type { Instruments } from "./instruments.ts";

/** How often the event loop's delay is sampled, in milliseconds. */
const lagResolutionMs = 20;

/** This process: `process_…` and `nodejs_…` as every Node program names them, and which build of which host it is. */
export function addProcessMetrics(
  instruments: Instruments,
  { host, role, version }: { host: string; role: HostRole; version: string },
): void {
  const { registry } = instruments;
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: lagResolutionMs });
  const build = instruments.gauge(
    "sojourn_build_info",
    "Always 1: the host's name and role, the daemon's version and that of Node.",
    ["host", "role", "version", "node"],
  );
  build.set({ host, role, version, node: process.version }, 1);
}
