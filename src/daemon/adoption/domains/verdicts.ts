import type { Namesake } from "../../../hypervisor/libvirt/adoption/outlook.ts";
import type { DomainFacts } from "../../../hypervisor/libvirt/domain-xml/read-domain.ts";
import { compareHostCpus } from "../host-cpu.ts";
import type { AdoptionCheck } from "../schemas.ts";
import { olderQemu } from "../verdicts.ts";
import type { HostOutlook } from "./procedures.ts";

type Finding = Omit<AdoptionCheck, "host">;

/** Whether a domain that runs at home could go to a host, by what both found of it. Pure. */
export function judgeOutlook(
  host: string,
  domain: Pick<DomainFacts, "name" | "uuid" | "machine" | "virtualization" | "processor">,
  home: HostOutlook,
  there: HostOutlook,
): AdoptionCheck[] {
  const findings: Finding[] = [
    ...there.namesakes.flatMap(({ name, uuid, is_active: isActive }) =>
      judgeNamesake(domain, { name, uuid, isActive }),
    ),
    ...judgeFiles(there),
    ...judgeMachine(domain, there),
    ...judgeProcessor(domain, home, there),
    ...olderQemu(home.qemu_version, there.qemu_version).map((detail) => warn("QEMU", detail)),
  ];
  return findings.map((finding) => ({ host, ...finding }));
}

function judgeNamesake(
  { name, uuid }: Pick<DomainFacts, "name" | "uuid">,
  other: Namesake,
): Finding[] {
  if (other.uuid !== uuid) {
    const detail = `libvirt has another domain ${other.name} there, with the UUID ${other.uuid}`;
    return [fail("name", detail)];
  }
  if (other.name !== name) {
    return [fail("name", `libvirt has a domain of this UUID there, by the name ${other.name}`)];
  }
  if (other.isActive) return [fail("name", "the same domain runs there already")];
  return [];
}

function judgeFiles({ missing_paths: missing }: HostOutlook): Finding[] {
  if (missing.length === 0) return [];
  const named = missing.slice(0, 5).join(", ");
  const more = missing.length > 5 ? ` and ${missing.length - 5} more` : "";
  return [fail("files", `cannot use ${named}${more}`)];
}

function judgeMachine({ machine }: Pick<DomainFacts, "machine">, there: HostOutlook): Finding[] {
  const { machine_refusal: refusal, libvirt_version: libvirt, qemu_version: qemu } = there;
  if (refusal !== null) return [fail("machine", `libvirt says: ${refusal}`)];
  return [
    { subject: "machine", result: "ok", detail: `${machine}, libvirt ${libvirt}, QEMU ${qemu}` },
  ];
}

/** A comparison that says no of the host where the domain runs means nothing elsewhere either. */
function judgeProcessor(
  { processor, virtualization }: Pick<DomainFacts, "processor" | "virtualization">,
  home: HostOutlook,
  there: HostOutlook,
): Finding[] {
  const { mode } = processor;
  if (mode === "host-passthrough" || mode === "maximum") {
    if (virtualization === "kvm") {
      return [{ subject: "processor", ...compareHostCpus(`mode ${mode}`, home.cpu, there.cpu) }];
    }
    const [ours, theirs] = [home, there].map(({ qemu_version: version }) =>
      version.split(".").slice(0, 2).join("."),
    );
    if (ours === theirs) return [];
    const detail = `mode ${mode} is another processor in QEMU ${there.qemu_version} than in ${home.qemu_version}`;
    return [fail("processor", detail)];
  }
  if (there.cpu_refusal === null || home.cpu_refusal !== null) return [];
  return [fail("processor", `libvirt says: ${there.cpu_refusal}`)];
}

function fail(subject: string, detail: string): Finding {
  return { subject, result: "fail", detail };
}

function warn(subject: string, detail: string): Finding {
  return { subject, result: "warn", detail };
}
