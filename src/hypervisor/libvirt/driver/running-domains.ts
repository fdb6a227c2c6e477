import { type DomainFacts, readDomain } from "../domain-xml/read-domain.ts";
import { ListDomainsFlag } from "../rpc/constants/flags.ts";
import { connectListAllDomains } from "../rpc/procedures/connect.ts";
import { domainGetState, domainGetXmlDesc } from "../rpc/procedures/domains.ts";
import type { Domain } from "../rpc/xdr/domain.ts";
import { isNoDomain } from "./errors.ts";
import type { RunningDomain } from "./libvirt-hypervisor.ts";
import type { LibvirtLink } from "./link.ts";
import { runStateOf } from "./run-state.ts";

/** All domains that have a process now, or those of them that `flags` choose. @see ListDomainsFlag */
export async function activeDomains(link: LibvirtLink, flags = 0): Promise<readonly Domain[]> {
  const chosen = { needResults: 1, flags: ListDomainsFlag.active | flags };
  return (await link.call(connectListAllDomains, chosen)).domains;
}

/** What is known of each; one that ends meanwhile is left out. */
export async function runningDomains(link: LibvirtLink): Promise<RunningDomain[]> {
  const [domains, persistent] = await Promise.all([
    activeDomains(link),
    activeDomains(link, ListDomainsFlag.persistent),
  ]);
  const lasting = new Set(persistent.map(({ uuid }) => uuid));
  const described = domains.map((domain) => describe(link, domain, lasting.has(domain.uuid)));
  return (await Promise.all(described)).filter((domain) => domain !== null);
}

async function describe(
  link: LibvirtLink,
  domain: Domain,
  isPersistent: boolean,
): Promise<RunningDomain | null> {
  const { name, uuid } = domain;
  try {
    const [state, { xml }] = await Promise.all([
      link.call(domainGetState, { domain, flags: 0 }),
      link.call(domainGetXmlDesc, { domain, flags: 0 }),
    ]);
    return { name, uuid, state: runStateOf(state, false), isPersistent, facts: factsOf(xml) };
  } catch (error) {
    if (isNoDomain(error)) return null;
    throw error;
  }
}

function factsOf(xml: string): DomainFacts | null {
  try {
    return readDomain(xml);
  } catch {
    return null;
  }
}
