import { MessageFlag } from "../netlink/messages.ts";
import { encodeNewFlow, type FlowMark } from "./encode.ts";
import type { GuestFlow, InstalledFlows } from "./flow-table.ts";
import { type NetfilterNetlink, perDatagram } from "./netfilter.ts";
import { settleKnownFlows } from "./settle.ts";
import { FlowMessage } from "./wire.ts";

/** A flow that must not be there yet. */
const asNew = MessageFlag.create | MessageFlag.exclusive;

/**
 * Makes the kernel track `flows` of `address`. One that it tracks already learns what is new of it; one that is there
 * in another shape than `mark` asks for is replaced.
 * @throws SojournError `SOJ_NETLINK_…` when the kernel does not answer.
 */
export async function installFlows(
  netlink: NetfilterNetlink,
  address: string,
  flows: readonly GuestFlow[],
  mark: FlowMark,
): Promise<InstalledFlows> {
  const refused: Record<string, number> = {};
  const first = await create(netlink, address, flows, mark, refused);
  const known = await settleKnownFlows(netlink, address, first.known, mark);
  count(refused, known.refused);
  // Those that were in the way are gone; another packet may have made one again meanwhile.
  const again = await create(netlink, address, known.replaced, mark, refused);
  if (again.known.length > 0) refused.EEXIST = (refused.EEXIST ?? 0) + again.known.length;
  return { installed: first.installed + again.installed, present: known.present, refused };
}

async function create(
  netlink: NetfilterNetlink,
  address: string,
  flows: readonly GuestFlow[],
  mark: FlowMark,
  refused: Record<string, number>,
): Promise<{ installed: number; known: GuestFlow[] }> {
  const known: GuestFlow[] = [];
  let installed = 0;
  // Encoded as they are sent: there may be very many.
  for (let start = 0; start < flows.length; start += perDatagram.changes) {
    const some = flows.slice(start, start + perDatagram.changes);
    const all = some.map((flow) => encodeNewFlow(address, flow, mark));
    const answers = await netlink.batch(`flows of ${address}`, FlowMessage.new, all, asNew);
    answers.forEach(({ errnoName }, index) => {
      const flow = some[index];
      if (errnoName === null) installed += 1;
      else if (errnoName === "EEXIST" && flow !== undefined) known.push(flow);
      else count(refused, [errnoName]);
    });
  }
  return { installed, known };
}

function count(refused: Record<string, number>, errnoNames: readonly string[]): void {
  for (const name of errnoNames) refused[name] = (refused[name] ?? 0) + 1;
}
