import { join } from "node:path";
import type { Migrations } from "../../migrator/migrations.ts";
import type { Logger } from "../../platform/log.ts";
import { sojournProgram } from "../../platform/release.ts";
import { type DaemonConfig, socketPath } from "../config.ts";
import type { DaemonServices } from "../services.ts";
import { Benchmarks } from "./benchmarks.ts";

/** The benchmarks of this host's daemon, run by the command it was installed with. */
export function openBenchmarks(options: {
  config: DaemonConfig;
  showGuest: DaemonServices["showGuest"];
  underWay: Migrations["underWay"];
  logger: Logger;
}): Promise<Benchmarks> {
  const { config, showGuest, underWay, logger } = options;
  return Benchmarks.open({
    folder: join(config.paths.state, "benchmarks"),
    hostName: config.host.name,
    peers: new Set(config.peers.keys()),
    command: {
      line: [sojournProgram],
      env: { SOJOURN_SOCKET: socketPath(config), SOJOURN_NODE: process.execPath },
    },
    showGuest,
    isGuestStanding: () => underWay().isGuestStanding,
    logger,
  });
}
