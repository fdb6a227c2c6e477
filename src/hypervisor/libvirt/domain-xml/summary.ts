import type { GuestDefinition } from "../../definition.ts";
import type { DiskSource, DomainDisk } from "./facts/disk.ts";
import type { DomainFacts } from "./read-domain.ts";

type DefinedDisk = GuestDefinition["disks"][number];
type DefinedNic = GuestDefinition["nics"][number];

/** A domain in the words of a guest definition, as far as it has any. */
export interface DomainSummary
  extends Pick<GuestDefinition, "name" | "memory_mib" | "vcpus" | "nics" | "disks"> {
  uuid: string;
  /** Drives whose storage is no file or device of raw or qcow2 format, by their names: `vdb (network)`. */
  other_disks: string[];
}

/**
 * What is shown of a domain, and what the check of its storage looks at. A domain's description has no addresses: those
 * of `known` NICs are taken, by their MAC. Empty drives are left out.
 */
export function summarizeDomain(facts: DomainFacts, known: readonly DefinedNic[]): DomainSummary {
  const media = facts.disks.filter(({ type }) => type !== "none");
  const disks = media.map(definedDisk);
  return {
    name: facts.name,
    uuid: facts.uuid,
    memory_mib: Math.ceil(facts.memory.bytes / 1024 ** 2),
    vcpus: facts.processor.vcpus,
    nics: facts.nics.map(
      ({ mac }) => known.find((nic) => nic.mac === mac) ?? { mac, addresses: [] },
    ),
    disks: disks.filter((disk) => disk !== null),
    other_disks: media
      .filter((_, index) => disks[index] === null)
      .map(({ target, type }) => `${target} (${type})`),
  };
}

function definedDisk(disk: DomainDisk): DefinedDisk | null {
  const { format, path } = disk;
  if (path === null || !isLocal(disk) || !disk.backing.every(isLocal)) return null;
  if (format !== "raw" && format !== "qcow2") return null;
  return { path, format, read_only: disk.isReadOnly, ...cacheOf(disk) };
}

function isLocal({ type }: DiskSource): boolean {
  return type === "file" || type === "block";
}

/** `writethrough` and `unsafe` go through the host's page cache too. */
function cacheOf({ cache }: DomainDisk): Pick<DefinedDisk, "cache"> {
  if (cache === null || cache === "default") return {};
  return { cache: cache === "none" || cache === "directsync" ? cache : "writeback" };
}
