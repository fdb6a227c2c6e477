import type { Logger } from "../platform/log.ts";
import { whyNotTracked } from "../routing/flows/can-track.ts";
import type { DaemonConfig } from "./config.ts";

/** Whether this host tracks connections for its guests: as configured, where the kernel can. Says so where it cannot. */
export async function tracksFlows(
  { flows }: Pick<DaemonConfig, "flows">,
  logger: Logger,
  why: () => Promise<string | null> = whyNotTracked,
): Promise<boolean> {
  if (!flows.track) return false;
  const reason = await why();
  if (reason === null) return true;
  logger.warn({ reason }, "guests' flows are neither listed nor carried: this kernel tracks none");
  return false;
}
