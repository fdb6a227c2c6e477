import { preconditionError } from "../platform/errors.ts";
import type { HostContext } from "./host-context.ts";
import type { GuestRecord } from "./records.ts";

/**
 * A guest that comes from a host that is not its home is let in only when its home, if that is a third host, knows of the
 * same migration: source, destination and home act under one epoch or not at all.
 * @throws SojournError of a home that is no peer of this host, does not answer, or knows nothing of it.
 */
export async function confirmWithHome(
  { host, homes }: Pick<HostContext, "host" | "homes">,
  { guest, home, migration }: GuestRecord,
  source: string,
): Promise<void> {
  if (home.host === host.name || home.host === source || migration === null) return;
  const { id, epoch } = migration;
  const answer = await homes.peer(home.host).call("confirm-repoint", { id, guest, epoch });
  if (answer.underlay_address === home.underlayAddress) return;
  throw preconditionError(
    "SOJ_GUEST_HOME",
    `${home.host} is at ${answer.underlay_address}, and not at ${home.underlayAddress} as ${source} says`,
    { guestState: "untouched" },
  );
}
