import { type GuestDefinition, guestDefinitionFromJson } from "../../definition.ts";
import type { DomainNic } from "../domain-xml/facts/nic.ts";
import { obstaclesOf } from "../domain-xml/obstacles/judge.ts";
import type { Obstacle } from "../domain-xml/obstacles/obstacle.ts";
import type { DomainFacts } from "../domain-xml/read-domain.ts";
import { summarizeDomain } from "../domain-xml/summary.ts";
import type { ExaminedDomain } from "./examine-domain.ts";

type DefinedNic = GuestDefinition["nics"][number];

/**
 * The definition of a domain that becomes a guest: libvirt has all that makes its machine, so that it is only described,
 * but for what Sojourn itself needs: name, UUID, NIC, and files. Pure.
 * @throws SojournError `SOJ_GUEST_DEFINITION_INVALID` for what no definition can hold
 */
export function definitionOfDomain(facts: DomainFacts, nic: DefinedNic): GuestDefinition {
  const { other_disks: _none, ...summary } = summarizeDomain(facts, [nic]);
  const { machine, boot } = facts;
  return guestDefinitionFromJson({
    ...summary,
    ...(/^(pc|q35|pc-(i440fx|q35)-[A-Za-z0-9.+-]{1,40})$/.test(machine) ? { machine } : {}),
    accelerator: facts.virtualization === "kvm" ? "kvm" : "tcg",
    ...(boot.kernel === null ? {} : { kernel: boot.kernel }),
    ...(boot.kernel === null || boot.initrd === null ? {} : { initrd: boot.initrd }),
    hypervisor: "libvirt",
  });
}

/** The only NIC of a domain, on a tap; null when it is not so (the obstacles tell why). */
export function nicOfDomain({ nics }: DomainFacts): (DomainNic & { device: string }) | null {
  const [nic] = nics;
  if (nic === undefined || nics.length > 1 || nic.device === null) return null;
  return { ...nic, device: nic.device };
}

/** What of a domain must be known before it becomes a guest. */
export interface DomainVerdict {
  refusals: string[];
  warnings: string[];
}

/** Pure. */
export function judgeDomain({
  facts,
  hasAcpi,
  isPersistent,
  isBusy,
  refusal,
}: Pick<
  ExaminedDomain,
  "facts" | "hasAcpi" | "isPersistent" | "isBusy" | "refusal"
>): DomainVerdict {
  const obstacles = obstaclesOf(facts);
  const refusals = obstacles.filter(({ verdict }) => verdict === "refused").map(sentenceOf);
  if (facts.architecture !== "x86_64") {
    refusals.push(`its processors are ${facts.architecture || "unknown"}, not x86_64`);
  }
  if (isBusy)
    refusals.push("libvirt is doing something with it already: virsh domjobinfo tells what");
  if (refusal !== null) refusals.push(`libvirt says: ${refusal}`);
  const others = obstacles.filter(({ verdict, code }) => verdict !== "refused" && !isJudged(code));
  const warnings = others.map(sentenceOf);
  if (!hasAcpi) {
    warnings.push("without <features><acpi/>, its guest cannot be asked to shut itself down");
  }
  if (!isPersistent) warnings.push("it is transient: libvirt forgets it when it ends");
  return { refusals, warnings };
}

/** Those that are looked at on every host anyway. */
function isJudged(code: Obstacle["code"]): boolean {
  return code === "cpu-of-host";
}

/** `disk vda is being copied elsewhere [block-job]`, with what is to be compared. */
function sentenceOf({ subject, reason, code, facts }: Obstacle): string {
  const named = Object.entries(facts).map(([key, value]) => `${key} ${value}`);
  const compared = named.length === 0 ? "" : ` (${named.join(", ").slice(0, 400)})`;
  return `${subject} ${reason}${compared} [${code}]`;
}
