import { redirectMark } from "../routing/desired.ts";
import type { TrackedFlow } from "../routing/flows/tracked-flow.ts";
import type { HostFacts } from "./network.ts";
import { ownNetworks } from "./own-networks.ts";
import type { GuestRecord } from "./records.ts";

/** `redirect`: its packets pass the guest's home, which is not where the guest is. */
export const flowPathNames = ["redirect", "direct"] as const;

export type FlowPath = (typeof flowPathNames)[number];

type PathHost = Pick<HostFacts, "name" | "underlayAddress" | "guestNetworks">;

/**
 * Which way the flows of a guest take that this host tracks: a function of its record, of this host, and for a renumbered
 * guest of each flow's mark. Pure.
 * @param record undefined for a guest that is nowhere: it has no redirect.
 * @param siblings addresses of its subnet whose guests are on this host too.
 */
export function flowPaths(
  host: PathHost,
  record: GuestRecord | undefined,
  address: string,
  siblings: readonly string[] = [],
): (flow: TrackedFlow) => FlowPath {
  if (record === undefined) return () => "direct";
  const { hosting, outgoing } = record;
  if (record.home.host === host.name) return () => (isAway(record) ? "redirect" : "direct");
  if (hosting === null || hosting.homeTunnel === null || outgoing?.switched) return () => "direct";
  const near = ownNetworks(host);
  for (const sibling of siblings) near.addAddress(sibling);
  const isByOldAddress = ({ mark }: TrackedFlow) =>
    hosting.renumbered === undefined || (mark & redirectMark) !== 0;
  return (flow) =>
    isByOldAddress(flow) && !near.check(routedPeer(flow, address)) ? "redirect" : "direct";
}

/** Home sends what comes for the guest to another host. */
function isAway({ hosting, redirect, outgoing }: GuestRecord): boolean {
  if (hosting?.stage === "landed" || hosting?.stage === "running") {
    return outgoing?.switched === true && outgoing.retired !== true;
  }
  return redirect !== null || outgoing?.switched === true;
}

/** Where the guest's packets are sent to, as routing sees them: after its peer's address was translated. */
function routedPeer({ original, reply }: TrackedFlow, address: string): string {
  return original.source === address ? reply.source : original.source;
}
