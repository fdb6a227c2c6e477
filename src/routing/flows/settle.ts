import type { BatchAnswer } from "../netlink/client.ts";
import { decodeFlow } from "./decode.ts";
import { encodeFlowQuery, encodeFlowUpdate, type FlowMark, type FlowUpdate } from "./encode.ts";
import type { GuestFlow } from "./flow-table.ts";
import { forgetFlows } from "./forget.ts";
import { guestFlow, guestFlows, isFlowOf, isSameFlow, tuplesOf } from "./guest-flow.ts";
import { type NetfilterNetlink, perDatagram } from "./netfilter.ts";
import { isFurther } from "./progress.ts";
import { ipProtocol, type TrackedFlow } from "./tracked-flow.ts";
import { FlowMessage } from "./wire.ts";

/** What became of flows whose ends the kernel knows already. */
interface SettledFlows {
  present: number;
  /** By errno. */
  refused: string[];
  /** Their entries are forgotten: the guest's end was translated, which that of flows with this mark must not be. */
  replaced: GuestFlow[];
}

/** The entry that has a flow's ends, and the flow. */
interface Pair {
  flow: GuestFlow;
  found: TrackedFlow;
}

/**
 * Finds the entries that kept `flows` from being installed, in whichever direction they were begun, and tells them what
 * they lack. One with a flow's ends that leads elsewhere than to the guest is somebody else's, and refused (`EEXIST`).
 */
export async function settleKnownFlows(
  netlink: NetfilterNetlink,
  address: string,
  flows: readonly GuestFlow[],
  mark: FlowMark,
): Promise<SettledFlows> {
  const settled: SettledFlows = { present: 0, refused: [], replaced: [] };
  for (let start = 0; start < flows.length; start += perDatagram.questions) {
    const some = flows.slice(start, start + perDatagram.questions);
    const pairs = await find(netlink, address, some);
    const isOwn = ({ flow, found }: Pair) =>
      isFlowOf(address, found) && guestFlows(address, found).some((one) => isSameFlow(one, flow));
    const own = pairs.filter(isOwn);
    const isWrong = ({ found }: Pair) => mark !== 0 && hasOtherGuestEnd(address, found);
    const [wrong, kept] = [own.filter(isWrong), own.filter((pair) => !isWrong(pair))];
    await forgetFlows(
      netlink,
      wrong.map(({ found }) => found),
    );
    const updates = kept.map((pair) => updateOf(address, pair, mark)).filter((one) => one !== null);
    const request = `known flows of ${address}`;
    await netlink.batch(request, FlowMessage.new, updates.map(encodeFlowUpdate));
    // One that has just ended lacks nothing.
    settled.present += kept.length + some.length - pairs.length;
    for (const _ of pairs.slice(own.length)) settled.refused.push("EEXIST");
    settled.replaced.push(...wrong.map(({ flow }) => flow));
  }
  return settled;
}

/** By the flow's own ends or by those of its answers: with address translation only one of them is the entry's. */
async function find(
  netlink: NetfilterNetlink,
  address: string,
  flows: readonly GuestFlow[],
): Promise<Pair[]> {
  const pairs: Pair[] = [];
  let left = [...flows];
  for (const direction of ["original", "reply"] as const) {
    const questions = left.map((flow) =>
      encodeFlowQuery(flow.protocol, tuplesOf(address, flow)[direction]),
    );
    const request = `known flows of ${address}`;
    const answers = await netlink.batch(request, FlowMessage.get, questions);
    left = left.filter((flow, index) => {
      const found = entryIn(answers[index]);
      if (found !== null) pairs.push({ flow, found });
      return found === null;
    });
  }
  return pairs;
}

function entryIn(answer: BatchAnswer | undefined): TrackedFlow | null {
  const [bytes] = answer?.data ?? [];
  return bytes === undefined ? null : decodeFlow(bytes);
}

/** Null where there is nothing to tell. */
function updateOf(address: string, { flow, found }: Pair, mark: FlowMark): FlowUpdate | null {
  const isLater = isFurther(flow, found);
  const isSameWay = guestFlow(address, found).direction === flow.direction;
  const lacks =
    // Its packets may have passed elsewhere for long, so that its window is where the session was then.
    flow.protocol === ipProtocol.tcp ||
    isLater ||
    (flow.replied && !found.replied) ||
    (flow.assured && !found.assured) ||
    (found.mark & mark) !== mark;
  return lacks ? { found, flow, mark, isLater, isSameWay } : null;
}

/** What the other end is translated to is this host's affair with that one: neighbours of the guest's behind its address. */
function hasOtherGuestEnd(address: string, { original, reply }: TrackedFlow): boolean {
  if (original.source === address) {
    return reply.destination !== address || reply.destinationPort !== original.sourcePort;
  }
  return original.destination !== address || original.destinationPort !== reply.sourcePort;
}
