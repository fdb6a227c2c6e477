import type { anchorProcedures } from "../migrator/anchor-procedures.ts";
import type { PeerGreetings } from "../migrator/anchors.ts";
import { attachGuest, checkAttachable } from "../migrator/attach-guest.ts";
import { AttachedGuests } from "../migrator/attached-guests.ts";
import type { handoverProcedures } from "../migrator/handover/procedures.ts";
import { HandoverStore } from "../migrator/handover/state.ts";
import type { HostContext } from "../migrator/host-context.ts";
import type { PeerCaller, ProcedureHandlers } from "../platform/procedures.ts";
import { type HandoverOptions, openHandovers } from "./handover/open.ts";
import type { HandoverServices } from "./handover/schemas.ts";
import type { PeerRoles } from "./peer-roles.ts";
import { type baseProcedures, protocolVersion } from "./procedures.ts";

type Peer = PeerCaller<typeof baseProcedures>;

/** What a peer says of itself. @throws SojournError when it does not answer, or speaks another protocol. */
export function greet(host: string, peer: Peer) {
  return peer.call("hello", { protocol_version: protocolVersion, host });
}

/** Asks all peers at once what they are; of one that is silent `roles` tells what it was. */
export async function greetPeers(
  host: string,
  peers: Iterable<Peer>,
  roles: Pick<PeerRoles, "of" | "remember">,
): Promise<PeerGreetings> {
  const all = [...peers];
  const answers = await Promise.allSettled(all.map((peer) => greet(host, peer)));
  const answered: PeerGreetings["answered"][number][] = [];
  const silent: PeerGreetings["silent"][number][] = [];
  for (const [index, answer] of answers.entries()) {
    const name = all[index]?.peer ?? "";
    if (answer.status === "rejected") silent.push({ host: name, known: roles.of(name) });
    else {
      const { role, guest_subnets: guestSubnets } = answer.value;
      answered.push({ host: name, role, guestSubnets });
    }
  }
  roles.remember(answered);
  return { answered, silent };
}

export interface OpenedAnchor extends Disposable {
  services: HandoverServices;
  handlers: ProcedureHandlers<typeof anchorProcedures & typeof handoverProcedures>;
  /** Goes on with what an earlier daemon left. */
  begin(): void;
}

/** What anchors do for guests of other hosts, and what hosts and anchors ask of each other. */
export function openAnchor(
  options: Omit<HandoverOptions, "store" | "peer"> & {
    stateFolder: string;
    peer: (host: string) => PeerCaller<typeof anchorProcedures & typeof handoverProcedures>;
  },
): OpenedAnchor {
  const { context, peer } = options;
  const store = new HandoverStore(options.stateFolder);
  const attached = new AttachedGuests({ ...context, peer });
  const handovers = openHandovers({ ...options, store });
  return {
    services: handovers.services,
    handlers: { ...attachHandlers({ ...context, handovers: store }), ...handovers.handlers },
    begin() {
      attached.begin();
      handovers.resume();
    },
    [Symbol.dispose]() {
      attached[Symbol.dispose]();
      handovers[Symbol.dispose]();
    },
  };
}

function attachHandlers(
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
