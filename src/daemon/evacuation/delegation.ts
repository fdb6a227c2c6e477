import { hasCode, preconditionError } from "../../platform/errors.ts";
import type { PeerCaller, ProcedureHandlers } from "../../platform/procedures.ts";
import { unknownEvacuation } from "./errors.ts";
import type { Evacuations } from "./evacuations.ts";
import type { evacuationProcedures } from "./procedures.ts";
import type { EvacuationServices } from "./schemas.ts";

type Peer = PeerCaller<typeof evacuationProcedures>;
type Local = Pick<Evacuations, "plan" | "start" | "list" | "find" | "cancel">;

export interface DelegationOptions {
  host: string;
  local: Local;
  /** @throws SojournError `SOJ_HOST_UNKNOWN`. */
  peer: (host: string) => Peer;
  peers: readonly Peer[];
}

/** More of a list than this, the oldest, is not told to other hosts (bytes): an answer has 1 MiB. */
const mostListBytes = 512 * 1024;

/** Evacuations of this host, and of its peers through their daemons. */
export function evacuationServices(options: DelegationOptions): EvacuationServices {
  const { host: here, local } = options;
  const isHere = (host: string | null): host is null => host === null || host === here;
  return {
    planEvacuation: async (host, request) =>
      isHere(host)
        ? await local.plan(request)
        : (await asked(options, host, (peer) => peer.call("plan-evacuation", request))).plan,
    startEvacuation: async (host, request) =>
      isHere(host)
        ? await local.start(request)
        : (await asked(options, host, (peer) => peer.call("start-evacuation", request))).evacuation,
    listEvacuations: async (host) =>
      isHere(host)
        ? local.list()
        : (await asked(options, host, (peer) => peer.call("list-evacuations", {}))).evacuations,
    getEvacuation: async (id) => local.find(id) ?? (await found(options, id)).evacuation,
    async cancelEvacuation(id, { running }) {
      if (local.find(id) !== null) return await local.cancel(id, running);
      const { peer } = await found(options, id);
      return (await peer.call("cancel-evacuation", { id, running })).evacuation;
    },
  };
}

/** The serving side: any peer's operator may ask, as one of this host's own. */
export function evacuationHandlers(local: Local): ProcedureHandlers<typeof evacuationProcedures> {
  return {
    "plan-evacuation": async (request) => ({ plan: await local.plan(request) }),
    "start-evacuation": async (request) => ({ evacuation: await local.start(request) }),
    "list-evacuations": async () => {
      let room = mostListBytes;
      const evacuations = local.list().filter((evacuation) => {
        room -= Buffer.byteLength(JSON.stringify(evacuation));
        return room > 0;
      });
      return { evacuations };
    },
    "get-evacuation": async ({ id }) => ({ evacuation: local.find(id) }),
    "cancel-evacuation": async ({ id, running }) => ({
      evacuation: await local.cancel(id, running),
    }),
  };
}

async function asked<Result>(
  { host: here, peer }: DelegationOptions,
  host: string,
  ask: (peer: Peer) => Promise<Result>,
): Promise<Result> {
  try {
    return await ask(peer(host));
  } catch (error) {
    if (!hasCode(error, "SOJ_UNKNOWN_PROCEDURE")) throw error;
    throw preconditionError(
      "SOJ_UNKNOWN_PROCEDURE",
      `${host} runs an earlier release, which cannot be emptied as a whole: no guest was touched`,
      { cause: error, guestState: "untouched", hint: `run the release of ${here} on ${host} too` },
    );
  }
}

/** Asks all peers at once: ids do not tell whose they are. The first that knows it decides. */
async function found({ host, peers }: DelegationOptions, id: string) {
  const silent: string[] = [];
  const asking = peers.map(async (peer) => {
    const { evacuation } = await peer.call("get-evacuation", { id }).catch((error: unknown) => {
      if (!hasCode(error, "SOJ_UNKNOWN_PROCEDURE")) silent.push(peer.peer);
      throw error;
    });
    if (evacuation === null) throw new Error(`${peer.peer} does not know it`);
    return { peer, evacuation };
  });
  try {
    return await Promise.any(asking);
  } catch {
    throw unknownEvacuation(host, id, silent.sort());
  }
}
