import { SojournError } from "../../platform/errors.ts";
import { createDaemonClient } from "../client.ts";
import { type DaemonConfig, loadConfig, socketPath } from "../config.ts";
import type { DoctorCheck } from "../services.ts";
import { attempt, ok, warn } from "./check.ts";
import { checkHost } from "./host.ts";
import { checkIdentity } from "./identity.ts";
import { checkPeers } from "./peers.ts";

/**
 * Everything that can be checked from outside the daemon, whether it runs or not.
 * @throws SojournError `SOJ_UNKNOWN_HOST` when `peer` is not configured.
 */
export async function examineHost(configPath: string, peer?: string): Promise<DoctorCheck[]> {
  let config: DaemonConfig | null = null;
  const configChecks = await attempt("configuration", async () => {
    config = await loadConfig(configPath);
    return ok("configuration", configPath);
  });
  if (config === null) return [...configChecks, ...(await checkHost("/run/sojourn"))];
  return [...configChecks, ...(await examineConfigured(config, peer))];
}

async function examineConfigured(config: DaemonConfig, peer?: string): Promise<DoctorCheck[]> {
  const peers = checkPeers(config, peer);
  const [host, identity, peerChecks, daemon] = await Promise.all([
    checkHost(config.paths.run),
    checkIdentity(config),
    peers,
    checkDaemon(config),
  ]);
  return [...host, ...identity, ...daemon, ...peerChecks];
}

async function checkDaemon(config: DaemonConfig): Promise<DoctorCheck[]> {
  const client = createDaemonClient(socketPath(config));
  try {
    const { pid } = await client.health();
    return [ok("daemon", `runs (pid ${pid})`), ...(await client.doctor())];
  } catch (error) {
    if (error instanceof SojournError) {
      return [warn("daemon", error.message, error.hint ?? "look at its log")];
    }
    throw error;
  }
}
