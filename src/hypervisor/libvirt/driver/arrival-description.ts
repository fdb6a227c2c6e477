import { preconditionError } from "../../../platform/errors.ts";
import { type GuestDefinition, guestUuid } from "../../definition.ts";
import type { NicAttachment, StreamOffer } from "../../hypervisor.ts";
import { obstaclesOf, refusalsOf } from "../domain-xml/obstacles/judge.ts";
import { readDomain } from "../domain-xml/read-domain.ts";
import { rewriteDomain } from "../domain-xml/rewrite.ts";
import { refusedError, wrongGuestError } from "./errors.ts";

/** A domain that shall arrive, as this host's libvirt is given it. */
export interface Arrival {
  /** The guest's too: what libvirt's hook is asked about goes by it. */
  name: string;
  uuid: string;
  xml: string;
  /** The source's, of its first phase. */
  cookie: Uint8Array;
}

/**
 * What another host says of a domain, judged, and put onto the taps that are meant for it.
 * @throws SojournError `SOJ_HYPERVISOR_REFUSED` without an offer; `SOJ_HYPERVISOR_WRONG_GUEST` for another domain than
 * the definition's; `SOJ_GUEST_NOT_MOVABLE` for one that cannot be led; `SOJ_LIBVIRT_XML`, `SOJ_LIBVIRT_REWRITE`
 */
export function arrivalOf(
  definition: GuestDefinition,
  nics: readonly NicAttachment[],
  offer: StreamOffer | undefined,
): Arrival {
  const guest = definition.name;
  if (offer === undefined) {
    throw refusedError(guest, "is a domain of libvirt's, and its host offers no stream of one");
  }
  const facts = readDomain(offer.description);
  const { name, uuid } = facts;
  if (name !== guest) throw wrongGuestError(guest, `it is ${JSON.stringify(name.slice(0, 80))}`);
  if (uuid !== guestUuid(definition)) {
    throw wrongGuestError(guest, `its UUID is ${uuid}, and should be ${guestUuid(definition)}`);
  }
  const refusals = refusalsOf(obstaclesOf(facts));
  if (refusals.length > 0) {
    throw preconditionError(
      "SOJ_GUEST_NOT_MOVABLE",
      `${guest} cannot come: ${refusals.join("; ")}`,
    );
  }
  const macs = new Set(facts.nics.map(({ mac }) => mac.toLowerCase()));
  if (definition.nics.length !== nics.length || macs.size !== nics.length) {
    throw wrongGuestError(guest, `it has ${macs.size} NICs, and ${nics.length} taps are there`);
  }
  const taps = definition.nics.map(({ mac }, index) => ({
    mac,
    tapName: (nics[index] as NicAttachment).tapName,
  }));
  const xml = rewriteDomain(offer.description, { nics: taps });
  return { name, uuid, xml, cookie: Buffer.from(offer.cookie, "base64") };
}
