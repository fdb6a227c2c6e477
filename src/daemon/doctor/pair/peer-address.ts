import { ExitCode, SojournError } from "../../../platform/errors.ts";
import type { PeerContext } from "../../../platform/procedures.ts";
import type { DaemonConfig } from "../../config.ts";

/**
 * The underlay address that a peer names as its own, if it is: this host's configuration or the peer's certificate has
 * it. Otherwise a peer could have this host reach out to whomever it likes.
 * @throws SojournError `SOJ_DOCTOR_ADDRESS` (403).
 */
export function addressOfPeer(
  { peers }: Pick<DaemonConfig, "peers">,
  { peer, addresses }: PeerContext,
  claimed: string,
): string {
  if (claimed === peers.get(peer)?.address || addresses.includes(claimed)) return claimed;
  const message = `${peer} names ${claimed} as its underlay address, which neither this host's [peers] nor ${peer}'s certificate has`;
  throw new SojournError("SOJ_DOCTOR_ADDRESS", message, {
    exitCode: ExitCode.precondition,
    httpStatus: 403,
    hint: `correct underlay_address on ${peer}, or issue its certificate for that address too: sojourn pki issue ${peer} --address …`,
  });
}
