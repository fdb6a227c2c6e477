import type { GuestDefinition } from "../../../hypervisor/definition.ts";
import {
  type ExaminedDomain,
  examineDomain,
} from "../../../hypervisor/libvirt/adoption/examine-domain.ts";
import {
  definitionOfDomain,
  judgeDomain,
  nicOfDomain,
} from "../../../hypervisor/libvirt/adoption/proposal.ts";
import type { LibvirtConnection } from "../../../hypervisor/libvirt/rpc/connection.ts";
import { preconditionError, usageError } from "../../../platform/errors.ts";
import type { DaemonConfig } from "../../config.ts";
import { vouchedFor } from "../propose.ts";
import type { AdoptionRequest } from "../schemas.ts";
import { parseNicWish, placeOfTap } from "../tap-facts.ts";

/** What would become of a domain of libvirt's. */
export interface DomainProposal {
  examined: ExaminedDomain;
  definition: GuestDefinition;
  tap: string;
  bridge: string;
}

/**
 * Looks at a domain and its tap; changes nothing.
 * @throws SojournError `SOJ_DOMAIN_UNKNOWN`, `SOJ_GUEST_NOT_RUNNING`, `SOJ_NO_TAP`, `SOJ_BRIDGE_MISSING`,
 *   `SOJ_ADDRESS_UNKNOWN`, `SOJ_USAGE` for another name than the domain's
 */
export async function proposeDomain(
  { name, libvirt = {}, nic: wishes = [], shared_disks: isShared = false }: AdoptionRequest,
  connection: LibvirtConnection,
  config: DaemonConfig,
): Promise<DomainProposal> {
  const wish = parseNicWish(wishes);
  const examined = await examineDomain(connection, libvirt.domain ?? name);
  const { facts } = examined;
  if (facts.name !== name) {
    throw usageError(
      `the domain's name is ${JSON.stringify(facts.name.slice(0, 80))}, and so is the guest's: libvirt knows it by that name on every host`,
      "take it in under that name, or give it another while it is shut off: virsh domrename",
    );
  }
  const { device: tap, mac } = onlyNic(examined, wish?.mac ?? null);
  const { bridge, nic } = await placeOfTap(config, tap, mac, wish);
  const definition = definitionOfDomain(facts, nic);
  return { examined, definition: isShared ? vouchedFor(definition) : definition, tap, bridge };
}

function onlyNic(examined: ExaminedDomain, wished: string | null) {
  const { facts } = examined;
  const nic = nicOfDomain(facts);
  if (nic === null) {
    const { refusals } = judgeDomain(examined);
    const reasons = refusals.map((reason) => `; ${reason}`).join("");
    throw preconditionError(
      "SOJ_NO_TAP",
      `the domain ${facts.name} has no NIC on a tap${reasons}`,
      {
        guestState: "untouched",
        hint: "a guest moves with exactly one NIC, on a tap",
      },
    );
  }
  if (wished === null || wished === nic.mac) return nic;
  const message = `its NIC has the MAC address ${nic.mac}, not ${wished}`;
  throw preconditionError("SOJ_NO_TAP", message, { guestState: "untouched" });
}
