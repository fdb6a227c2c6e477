import { preconditionError, type SojournError } from "../../../platform/errors.ts";
import { parseDomainDocument } from "../domain-xml/document.ts";
import { type DomainFacts, readDomain } from "../domain-xml/read-domain.ts";
import { elementAt } from "../domain-xml/xml/element.ts";
import type { LibvirtConnection } from "../rpc/connection.ts";
import { DomainState } from "../rpc/constants/domain-state.ts";
import { LibvirtErrorCode } from "../rpc/constants/error-codes.ts";
import { ListDomainsFlag, MigrateFlag, XmlFlag } from "../rpc/constants/flags.ts";
import { JobType } from "../rpc/constants/jobs.ts";
import { LibvirtCallError } from "../rpc/errors.ts";
import { connectListAllDomains } from "../rpc/procedures/connect.ts";
import {
  domainGetState,
  domainGetXmlDesc,
  domainLookupByName,
  domainLookupByUuid,
} from "../rpc/procedures/domains.ts";
import { domainGetJobInfo } from "../rpc/procedures/jobs.ts";
import { domainMigrateBegin } from "../rpc/procedures/migration.ts";
import type { Domain } from "../rpc/xdr/domain.ts";

/** All that is known of a domain that runs, as it runs. */
export interface ExaminedDomain {
  domain: Domain;
  /** `running` or `paused`; what else it is doing, in libvirt's word. */
  state: string;
  facts: DomainFacts;
  /** As the destination would be given it: what it names of its host is what is needed there. */
  migratable: DomainFacts;
  /** Its `<cpu>` as it migrates, as text; null without. */
  cpu: string | null;
  /** Without ACPI a guest cannot be asked to shut itself down. */
  hasAcpi: boolean;
  /** It has a definition that stays when it ends. */
  isPersistent: boolean;
  /** Something is being done with it already: a migration, a dump, … */
  isBusy: boolean;
  /** Why libvirt would not let it go; null when it would. */
  refusal: string | null;
}

/**
 * Looks at a domain by its name or UUID; changes nothing.
 * @throws SojournError `SOJ_DOMAIN_UNKNOWN`, `SOJ_GUEST_NOT_RUNNING`, or what the connection throws
 */
export async function examineDomain(
  connection: LibvirtConnection,
  nameOrUuid: string,
): Promise<ExaminedDomain> {
  const domain = await findDomain(connection, nameOrUuid);
  const { state } = await connection.call(domainGetState, { domain, flags: 0 });
  const word = stateWords.get(state) ?? `in state ${state}`;
  if (!isActive(state)) throw notRunning(domain.name, word);
  const describe = async (flags: number) =>
    (await connection.call(domainGetXmlDesc, { domain, flags })).xml;
  const [running, migratable] = [await describe(0), await describe(XmlFlag.migratable)];
  const persistent = await connection.call(connectListAllDomains, {
    ...{ needResults: 1, flags: ListDomainsFlag.active | ListDomainsFlag.persistent },
  });
  const { type: job } = await connection.call(domainGetJobInfo, { domain });
  const isBusy = job !== JobType.none;
  return {
    ...{ domain, state: word, isBusy },
    facts: readDomain(running),
    migratable: readDomain(migratable),
    cpu: cpuOf(migratable),
    hasAcpi: elementAt(parseDomainDocument(migratable), "features", "acpi") !== undefined,
    isPersistent: persistent.domains.some(({ uuid }) => uuid === domain.uuid),
    refusal: isBusy ? null : await refusalOf(connection, domain),
  };
}

/** Whether a domain in this state has a QEMU. */
export function isActive(state: number): boolean {
  return state !== DomainState.shutoff && state !== DomainState.crashed;
}

/** The text of a domain's `<cpu>`; null without. Pure. */
export function cpuOf(xml: string): string | null {
  const cpu = elementAt(parseDomainDocument(xml), "cpu");
  return cpu === undefined ? null : xml.slice(cpu.span.start, cpu.span.end);
}

/**
 * Begins a migration without its protection, which asks libvirt and QEMU all that forbids one, and leaves nothing begun
 * (`qemuMigrationSrcIsAllowed`).
 */
async function refusalOf(connection: LibvirtConnection, domain: Domain): Promise<string | null> {
  const flags = MigrateFlag.live | MigrateFlag.paused | MigrateFlag.abortOnError;
  try {
    await connection.call(domainMigrateBegin, { domain, parameters: [], flags });
    return null;
  } catch (error) {
    if (error instanceof LibvirtCallError) return error.description;
    throw error;
  }
}

async function findDomain(connection: LibvirtConnection, nameOrUuid: string): Promise<Domain> {
  const isUuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(nameOrUuid);
  try {
    const { domain } = isUuid
      ? await connection.call(domainLookupByUuid, { uuid: nameOrUuid })
      : await connection.call(domainLookupByName, { name: nameOrUuid });
    return domain;
  } catch (error) {
    if (!(error instanceof LibvirtCallError) || error.libvirtCode !== LibvirtErrorCode.noDomain) {
      throw error;
    }
    const shown = JSON.stringify(nameOrUuid.slice(0, 80));
    throw preconditionError("SOJ_DOMAIN_UNKNOWN", `libvirt has no domain ${shown}`, {
      httpStatus: 404,
      hint: "virsh list --all",
    });
  }
}

function notRunning(name: string, state: string): SojournError {
  return preconditionError("SOJ_GUEST_NOT_RUNNING", `the domain ${name} is ${state}`, {
    guestState: "untouched",
    hint: `virsh start ${name}`,
  });
}

/** As virsh says them. */
const stateWords: ReadonlyMap<number, string> = new Map([
  [DomainState.running, "running"],
  [DomainState.blocked, "running"],
  [DomainState.paused, "paused"],
  [DomainState.shutdown, "being shut down"],
  [DomainState.shutoff, "shut off"],
  [DomainState.crashed, "crashed"],
  [DomainState.suspendedByGuest, "suspended by its guest"],
]);
