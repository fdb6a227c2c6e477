import type { GuestRecord } from "../migrator/records.ts";
import { thirdHome } from "../migrator/third-home.ts";
import { hasCode, preconditionError } from "../platform/errors.ts";
import type { PlanLine } from "../platform/plan-line.ts";
import type { PeerCaller } from "../platform/procedures.ts";
import type { TunnelKind } from "../tunnels/tunnel.ts";
import type { procedures } from "./peer-procedures.ts";
import type { MigrationRequest } from "./services.ts";

/** What a home that is a third host has to do with a move. */
export interface HomePlan {
  host: string;
  epoch: number;
  prepare: PlanLine[];
  repoint: PlanLine[];
}

/**
 * Asks a home that is a third host, which has its own part in the move from this host, `here`; null for another.
 * @throws SojournError `SOJ_HOME_UNREACHABLE`, or what home has against it.
 */
export async function askHome(
  here: string,
  peer: (host: string) => PeerCaller<typeof procedures>,
  { guest, to, renumber }: Pick<MigrationRequest, "guest" | "to" | "renumber">,
  record: GuestRecord,
  tunnelKind: TunnelKind,
): Promise<HomePlan | null> {
  const home = thirdHome(here, record, to);
  if (home === null) return null;
  try {
    const drains = renumber === undefined ? {} : { renumber: true };
    const wanted = { guest, to, tunnel_kind: tunnelKind, ...drains };
    return { host: home, ...(await peer(home).call("plan-repoint", wanted)) };
  } catch (error) {
    if (!hasCode(error, "SOJ_PEER_UNREACHABLE")) throw error;
    throw preconditionError(
      "SOJ_HOME_UNREACHABLE",
      `${home}, ${guest}'s home, does not answer: nobody else can send the guest's packets to ${to}`,
      {
        ...{ cause: error, retryable: true, guestState: "untouched" },
        hint: `${guest} runs on at ${here}; start ${home}'s daemon, then try again`,
      },
    );
  }
}
