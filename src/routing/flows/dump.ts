import { checkIPv4 } from "../../platform/names.ts";
import { NetlinkError } from "../netlink/failures.ts";
import { decodeFlow } from "./decode.ts";
import { encodeFlowFilter, encodeWholeDump } from "./encode.ts";
import { isFlowOf } from "./guest-flow.ts";
import type { NetfilterNetlink } from "./netfilter.ts";
import type { TrackedFlow } from "./tracked-flow.ts";
import { FlowMessage } from "./wire.ts";

/** What a kernel says that knows no filter, or not this one. */
const knowsNoFilter = ["EINVAL", "EOPNOTSUPP", "ENOTSUP"];

/**
 * The flows that `address` began or answers, however many, in the table's zone 0: those of other zones are somebody
 * else's, and may have the same addresses. Read in turns of the event loop.
 * @throws SojournError `SOJ_BAD_ADDRESS`, `SOJ_NETLINK_…`.
 */
export async function dumpFlows(
  netlink: NetfilterNetlink,
  address: string,
): Promise<TrackedFlow[]> {
  checkIPv4("guest", address);
  try {
    const began = await dump(netlink, address, encodeFlowFilter("original", address));
    const answered = await dump(netlink, address, encodeFlowFilter("reply", address));
    return [...new Map([...began, ...answered]).values()];
  } catch (error) {
    if (!(error instanceof NetlinkError) || !knowsNoFilter.includes(error.errnoName)) throw error;
    return [...(await dump(netlink, address, encodeWholeDump())).values()];
  }
}

/** Filtered once more: a kernel that does not know the filter passes over it. A list that grows may tell one twice. */
async function dump(netlink: NetfilterNetlink, address: string, request: Buffer) {
  let flows = new Map<string, TrackedFlow>();
  await netlink.dumpEach(`flow list ${address}`, FlowMessage.get, request, () => {
    flows = new Map();
    return (object) => {
      const flow = decodeFlow(object);
      if (flow?.zone === 0 && isFlowOf(address, flow)) flows.set(keyOf(flow), flow);
    };
  });
  return flows;
}

/** Not by their ids: those of two flows in some ten thousand are the same. */
function keyOf({ protocol, original: { source, destination, icmp, ...ports } }: TrackedFlow) {
  const ends = [source, ports.sourcePort, destination, ports.destinationPort];
  return [protocol, ...ends, icmp?.id, icmp?.type].join();
}
