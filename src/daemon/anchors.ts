import type { anchorProcedures } from "../migrator/anchor-procedures.ts";
import type { PeerGreetings } from "../migrator/anchors.ts";
import { attachGuest, checkAttachable } from "../migrator/attach-guest.ts";
import type { HandoverStore } from "../migrator/handover/state.ts";
import type { HostContext } from "../migrator/host-context.ts";
import type { PeerCaller, ProcedureHandlers } from "../platform/procedures.ts";
import { type baseProcedures, protocolVersion } from "./procedures.ts";

/** Asks all peers at once what they are. */
export async function greetPeers(
  host: string,
  peers: Iterable<PeerCaller<typeof baseProcedures>>,
): Promise<PeerGreetings> {
  const greeting = { protocol_version: protocolVersion, host };
  const all = [...peers];
  const answers = await Promise.allSettled(all.map((peer) => peer.call("hello", greeting)));
  const answered: PeerGreetings["answered"][number][] = [];
  const silent: string[] = [];
  for (const [index, answer] of answers.entries()) {
    const name = all[index]?.peer ?? "";
    if (answer.status === "rejected") silent.push(name);
    else {
      const { role, guest_subnets: guestSubnets } = answer.value;
      answered.push({ host: name, role, guestSubnets });
    }
  }
  return { answered, silent };
}

/** What anchors and the hosts behind which they stand ask of each other. */
export function anchorHandlers(
  context: HostContext & { handovers: Pick<HandoverStore, "current"> },
): ProcedureHandlers<typeof anchorProcedures> {
  return {
    "attach-guest": (request, { peer }) => attachGuest(context, request, peer),
    "attach-check": async (request, { peer }) => {
      checkAttachable(context, request, peer);
      return {};
    },
    "attached-guest": async ({ guest }, { peer }) => ({
      place: context.guests.placeFor(guest, peer),
    }),
  };
}
