import { attachmentOf, redirectRoute } from "./network.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";

/**
 * Leads what this host, which is not the guest's home, and its neighbours send to the guest by way of home, as everybody
 * else's: the host where the guest is closes its end of the tunnel when it is told of the move's end.
 */
export async function leaveTunnel(
  { host, network, records, logger }: SourceContext,
  task: Pick<MigrationTask, "id" | "guest">,
  facts: Pick<MigrationFacts, "lostAtDestination">,
): Promise<void> {
  // A daemon that has just started makes the network as its records were, and would bring the route back.
  using _held = await network.hold();
  const record = records.get(task.guest);
  if (!record?.outgoing || record.home.host === host.name || facts.lostAtDestination) return;
  const { address } = attachmentOf(host, record);
  records.putVolatile({ ...record, outgoing: { ...record.outgoing, retired: true } });
  try {
    const tunnel = network.tunnelInterface(record.outgoing.tunnel);
    await network.routing.disarm(address);
    await network.routing.deleteRoute(redirectRoute(address, tunnel));
  } catch (error) {
    logger.warn({ migration: task.id, err: error }, "the tunnel is not left yet");
  }
}
