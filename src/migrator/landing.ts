import { delay } from "../platform/clock.ts";
import type { HostContext } from "./host-context.ts";
import { landedRecord } from "./incoming-record.ts";
import { attachmentOf, deliveryRoute, redirectRoute } from "./network.ts";
import type { GuestRecord } from "./records.ts";

/**
 * The rest of the network can wait while a guest that has just arrived catches up with what waited for it: reading and
 * changing the kernel's state takes processors that it needs, most of all where its code is translated anew.
 */
const guestFirstMs = 250;

/** Leads this host's own traffic to a guest that runs here now, first over the warm socket, then for good. */
export async function land(
  { host, network, records }: Pick<HostContext, "host" | "network" | "records">,
  record: GuestRecord,
): Promise<void> {
  const { address, bridge, atHome } = attachmentOf(host, record);
  const isStill = () => records.get(record.guest)?.migration?.id === record.migration?.id;
  if (!isStill()) return;
  const landed = landedRecord(record);
  // Known at once: whoever makes the kernel as the records say must not take the route away again.
  records.putVolatile(landed);
  if (!atHome) await network.routing.replaceRoute(deliveryRoute(address, bridge));
  else if (record.redirect !== null) {
    await network.routing.deleteRoute(
      redirectRoute(address, network.tunnelInterface(record.redirect.tunnel)),
    );
  }
  await delay(guestFirstMs);
  using _held = await network.hold();
  if (isStill()) await network.changeWhileHeld(landed);
}
