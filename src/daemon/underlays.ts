import type { Logger } from "../platform/log.ts";
import type { Tunnels } from "../tunnels/tunnel.ts";
import type { DaemonConfig } from "./config.ts";

/**
 * Makes on the devices that lead to the peers what no migration should have to make there
 * (`Tunnels.prepareUnderlay`). A peer that cannot be reached yet is only noted: the tunnel makes up for it.
 */
export async function prepareUnderlays(
  tunnels: Tunnels,
  config: Pick<DaemonConfig, "host" | "peers">,
  logger: Logger,
): Promise<void> {
  for (const [peer, { address }] of config.peers) {
    try {
      await tunnels.prepareUnderlay(config.host.underlayAddress, address);
    } catch (error) {
      logger.warn({ peer, err: error }, "the way to this peer is not prepared for tunnels yet");
    }
  }
}
