import { guestUuid } from "../../definition.ts";
import type { DomainFacts } from "../domain-xml/read-domain.ts";
import { wrongGuestError } from "./errors.ts";
import { type InstanceRecord, newInstanceId } from "./instance-record.ts";
import type { AdoptedDomain } from "./libvirt-hypervisor.ts";

/**
 * What is written down of a domain that runs and becomes a guest.
 * @param facts of the domain as it runs
 * @throws SojournError `SOJ_HYPERVISOR_WRONG_GUEST` when the definition is of another one
 */
export function adoptedRecord(
  { definition, uuid }: AdoptedDomain,
  facts: DomainFacts,
): InstanceRecord {
  const guest = definition.name;
  if (facts.uuid !== uuid || guestUuid(definition) !== uuid) {
    throw wrongGuestError(
      guest,
      `its UUID is ${facts.uuid}, and should be ${guestUuid(definition)}`,
    );
  }
  const taps = definition.nics.map(({ mac }) => {
    const nic = facts.nics.find((each) => each.mac.toLowerCase() === mac);
    if (nic !== undefined && nic.device !== null) return nic.device;
    throw wrongGuestError(guest, `it has no NIC ${mac} on a tap`);
  });
  return {
    version: 1,
    instance_id: newInstanceId(),
    definition,
    domain_name: facts.name,
    uuid,
    taps,
    console: consoleOf(facts),
    incoming: false,
    arrived: true,
  };
}

/** The file that the first serial port goes to; empty when it goes elsewhere. */
export function consoleOf({ characterDevices }: Pick<DomainFacts, "characterDevices">): string {
  const serial = characterDevices.find(({ kind }) => kind === "serial");
  return serial?.type === "file" ? (serial.path ?? "") : "";
}
