import { asSojournError, preconditionError } from "../../../platform/errors.ts";
import { AsyncLock } from "../../../platform/lock.ts";
import type { PeerCaller, PeerContext, ProcedureHandlers } from "../../../platform/procedures.ts";
import { releaseVersion } from "../../../platform/release.ts";
import type { DaemonConfig } from "../../config.ts";
import { type baseProcedures, protocolVersion } from "../../procedures.ts";
import { readStreamPorts } from "../firewall/checks.ts";
import { examineMachine } from "../machine.ts";
import { roomFor } from "./guests.ts";
import type { PathEndSpec, PathEnds } from "./path-end.ts";
import { addressOfPeer } from "./peer-address.ts";
import { openPortProbe, reachPort } from "./port-probe.ts";
import { portAt } from "./ports.ts";
import type { doctorProcedures } from "./procedures.ts";

export interface DoctorHandlersOptions {
  config: DaemonConfig;
  ends: PathEnds;
  peer: (host: string) => PeerCaller<typeof baseProcedures>;
  /** While it says yes, no program is started for anybody's checks. */
  isGuestStanding: () => boolean;
}

type End = { kind: PathEndSpec["kind"]; underlay_address: string; nonce: string };

/** What this host does for another one's `doctor`. */
export function doctorHandlers(
  options: DoctorHandlersOptions,
): ProcedureHandlers<typeof doctorProcedures> {
  const { config, ends, peer } = options;
  const localAddress = config.host.underlayAddress;
  const examination = new AsyncLock();
  const spec = ({ kind, underlay_address: claimed, nonce }: End, caller: PeerContext) => {
    const remoteAddress = addressOfPeer(config, caller, claimed);
    return { kind, localAddress, remoteAddress, nonce };
  };
  const hello = async (host: string) =>
    peer(host).call("hello", { protocol_version: protocolVersion, host: config.host.name });
  const refuseWhileStanding = () => {
    if (!options.isGuestStanding()) return;
    throw preconditionError("SOJ_DOCTOR_BUSY", "a guest stands: nothing is checked now", {
      retryable: true,
    });
  };
  return {
    "doctor-host": async () => {
      const checks = await examination.run(() => {
        refuseWhileStanding();
        return examineMachine(config, process.pid);
      });
      return { release: releaseVersion(), checks: checks.slice(0, 500).map(shortened) };
    },
    "doctor-call-back": async (_request, { peer: caller }) => {
      try {
        await hello(caller);
        return { reached: true, reason: null };
      } catch (thrown) {
        return { reached: false, reason: asSojournError(thrown).message.slice(0, 1_000) };
      }
    },
    "doctor-listen": async ({ place, nonce }) => {
      const first = portAt(place, await readStreamPorts(config));
      // It closes by itself.
      const address = config.migration.address ?? localAddress;
      const { port } = await openPortProbe(address, first, nonce);
      return { port };
    },
    "doctor-connect": async ({ port, nonce }, caller) => {
      const address = await hello(caller.peer).then(
        ({ underlay_address, migration_address = underlay_address }) =>
          addressOfPeer(config, caller, migration_address),
        () => config.peers.get(caller.peer)?.address,
      );
      if (address === undefined) return { reached: false, reason: `${caller.peer} is no peer` };
      const reason = await reachPort(address, port, nonce);
      return { reached: reason === null, reason };
    },
    "doctor-guest": async ({ definition }) => {
      return examination.run(() => {
        refuseWhileStanding();
        return roomFor(definition);
      });
    },
    "doctor-path-open": async (request, caller) => ends.open(spec(request, caller)),
    "doctor-path-send": async ({ bytes, ...end }, caller) => {
      await ends.send(spec(end, caller), bytes);
      return {};
    },
    "doctor-path-count": async (request, caller) => ends.count(spec(request, caller)),
    "doctor-path-close": async (request, caller) => {
      await ends.close(spec(request, caller));
      return {};
    },
  };
}

/** What a message between hosts may hold. */
function shortened<Check extends { detail: string; mend: string | null; hint: string | null }>(
  check: Check,
): Check {
  const cut = (text: string | null) => text?.slice(0, 3_000) ?? null;
  return {
    ...check,
    detail: cut(check.detail) ?? "",
    mend: cut(check.mend),
    hint: cut(check.hint),
  };
}
