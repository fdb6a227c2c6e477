import type { HostPath } from "../domain-xml/host-paths.ts";
import type { LibvirtConnection } from "../rpc/connection.ts";
import { LibvirtErrorCode } from "../rpc/constants/error-codes.ts";
import { CompareCpuFlag } from "../rpc/constants/flags.ts";
import { LibvirtCallError } from "../rpc/errors.ts";
import { versionText } from "../rpc/handshake.ts";
import {
  connectCompareHypervisorCpu,
  connectGetDomainCapabilities,
  connectGetVersion,
} from "../rpc/procedures/connect.ts";
import {
  domainGetState,
  domainLookupByName,
  domainLookupByUuid,
} from "../rpc/procedures/domains.ts";
import { type ExaminedDomain, isActive } from "./examine-domain.ts";

/** What a domain needs of a host that it may go to. */
export interface DomainNeeds {
  name: string;
  uuid: string;
  emulator: string | null;
  architecture: string;
  machine: string;
  virtualization: string;
  /** A processor with a name, as `<cpu>`; null for one that is what the host's makes of it. */
  cpu: string | null;
  paths: Pick<HostPath, "path" | "need">[];
}

/** A domain of the same name or UUID. */
export interface Namesake {
  name: string;
  uuid: string;
  isActive: boolean;
}

/** What a host's libvirt says of a domain that may come. */
export interface DomainOutlook {
  libvirtVersion: string;
  qemuVersion: string;
  namesakes: Namesake[];
  /** Why it cannot make the machine; null when it can. */
  machineRefusal: string | null;
  /** Why it cannot give it the processor; null when it can, or was not asked. */
  cpuRefusal: string | null;
}

const mostPaths = 256;

/** Pure. */
export function needsOf({ domain, migratable, cpu }: ExaminedDomain): DomainNeeds {
  const { emulator, architecture, machine, virtualization, processor, hostPaths } = migratable;
  const paths = new Map(hostPaths.map(({ path, need }) => [path, { path, need }]));
  return {
    ...{ name: domain.name, uuid: domain.uuid },
    ...{ emulator, architecture, machine, virtualization },
    cpu: processor.mode === "custom" ? cpu : null,
    paths: [...paths.values()].slice(0, mostPaths),
  };
}

/** Asks a host's libvirt; changes nothing. @throws what the connection throws */
export async function outlookFor(
  connection: LibvirtConnection,
  needs: DomainNeeds,
): Promise<DomainOutlook> {
  const { version } = await connection.call(connectGetVersion, {});
  return {
    libvirtVersion: connection.facts.version,
    qemuVersion: versionText(version),
    namesakes: await namesakesOf(connection, needs),
    machineRefusal: await machineRefusal(connection, needs),
    cpuRefusal: await cpuRefusal(connection, needs),
  };
}

async function namesakesOf(
  connection: LibvirtConnection,
  { name, uuid }: DomainNeeds,
): Promise<Namesake[]> {
  const found = new Map<string, Namesake>();
  for (const ask of [
    () => connection.call(domainLookupByName, { name }),
    () => connection.call(domainLookupByUuid, { uuid }),
  ]) {
    try {
      const { domain } = await ask();
      const { state } = await connection.call(domainGetState, { domain, flags: 0 });
      const { name, uuid } = domain;
      found.set(uuid, { name, uuid, isActive: isActive(state) });
    } catch (error) {
      if (!isRefusal(error, LibvirtErrorCode.noDomain)) throw error;
    }
  }
  return [...found.values()];
}

const emulation = ({ emulator, architecture, machine, virtualization }: DomainNeeds) => ({
  ...{ emulator, arch: architecture, machine, virtType: virtualization },
});

async function machineRefusal(
  connection: LibvirtConnection,
  needs: DomainNeeds,
): Promise<string | null> {
  try {
    await connection.call(connectGetDomainCapabilities, { ...emulation(needs), flags: 0 });
    return null;
  } catch (error) {
    if (error instanceof LibvirtCallError) return error.description;
    throw error;
  }
}

async function cpuRefusal(
  connection: LibvirtConnection,
  needs: DomainNeeds,
): Promise<string | null> {
  if (needs.cpu === null) return null;
  try {
    const flags = CompareCpuFlag.failIncompatible;
    const args = { ...emulation(needs), xmlCpu: needs.cpu, flags };
    await connection.call(connectCompareHypervisorCpu, args);
    return null;
  } catch (error) {
    if (isRefusal(error, LibvirtErrorCode.cpuIncompatible)) return error.description;
    // Others mean that it cannot tell.
    if (error instanceof LibvirtCallError) return null;
    throw error;
  }
}

function isRefusal(error: unknown, code: number): error is LibvirtCallError {
  return error instanceof LibvirtCallError && error.libvirtCode === code;
}
