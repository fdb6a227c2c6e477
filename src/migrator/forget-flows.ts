import { guestFlow } from "../routing/flows/guest-flow.ts";
import type { TrackedFlow } from "../routing/flows/tracked-flow.ts";
import type { HostContext } from "./host-context.ts";
import { attachmentOf } from "./network.ts";
import { othersHere, ownNetworks } from "./own-networks.ts";
import { readTracked } from "./read-tracked.ts";
import type { GuestRecord } from "./records.ts";

/** Nothing of the guest is this host's any more. */
export async function leaveGuest(
  context: Pick<HostContext, "flows" | "host" | "logger" | "records" | "network">,
  guest: string,
): Promise<void> {
  const record = context.records.get(guest);
  if (record !== undefined) await forgetFlows(context, record);
  await context.network.forget(guest);
}

/**
 * The guest has left this host for good, and this is not its home: what the kernel tracks of it here is forgotten, but
 * for what still passes, between the guest and this host, its subnets and the other guests here; none of these by the address that it had here,
 * which the next guest may get. Never throws: entries that are left expire.
 */
export async function forgetFlows(
  {
    flows: table,
    host,
    logger,
    records,
  }: Pick<HostContext, "flows" | "host" | "logger" | "records">,
  record: GuestRecord,
): Promise<void> {
  const { address, atHome } = attachmentOf(host, record);
  if (atHome) return;
  try {
    const near = ownNetworks(host);
    for (const other of othersHere(records.all(), record.guest)) near.addAddress(other);
    const given = record.hosting?.renumbered;
    const usesGiven = ({ original, reply }: TrackedFlow) =>
      given !== undefined && (original.destination === given || reply.destination === given);
    const isOver = (flow: TrackedFlow) =>
      usesGiven(flow) || !near.check(guestFlow(address, flow).peer);
    const flows = (await readTracked(table, address)) ?? [];
    await table.forget(flows.filter(isOver));
  } catch (error) {
    logger.warn({ guest: record.guest, err: error }, "its flows are left here until they expire");
  }
}
