import { encodeFlowRemoval } from "./encode.ts";
import { type NetfilterNetlink, perDatagram } from "./netfilter.ts";
import type { TrackedFlow } from "./tracked-flow.ts";
import { FlowMessage } from "./wire.ts";

/**
 * Makes the kernel forget these entries, and none that took their place. Returns how many there were still.
 * @throws SojournError `SOJ_NETLINK_…` when the kernel does not answer.
 */
export async function forgetFlows(
  netlink: NetfilterNetlink,
  flows: readonly TrackedFlow[],
): Promise<number> {
  let forgotten = 0;
  for (let start = 0; start < flows.length; start += perDatagram.changes) {
    const some = flows.slice(start, start + perDatagram.changes).map(encodeFlowRemoval);
    const answers = await netlink.batch("flows to forget", FlowMessage.delete, some);
    forgotten += answers.filter(({ errnoName }) => errnoName === null).length;
  }
  return forgotten;
}
