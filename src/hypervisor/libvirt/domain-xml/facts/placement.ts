import { attributeOf, childrenOf, elementAt, textOf, type XmlElement } from "../xml/element.ts";

const qemuNamespace = "http://libvirt.org/schemas/domain/qemu/1.0";

/** A secret of libvirt's that must be defined on every host of the guest. */
export interface SecretUse {
  uuid: string | null;
  /** Named by its use, where it is not named by its UUID. */
  usage: string | null;
}

/** What of the host's and of libvirt's configuration a domain depends on. */
export interface Placement {
  /** Control group; null for libvirt's own. */
  partition: string | null;
  /** Security drivers with a label that the domain brings along. */
  staticLabels: readonly string[];
  /** `sev`, `sev-snp`, `tdx`, …: memory that the host cannot read; null without. */
  launchSecurity: string | null;
  secrets: readonly SecretUse[];
  /** Arguments that libvirt hands to QEMU without knowing what they are. */
  qemuArguments: readonly string[];
  /** Whether properties of QEMU's devices are overridden. */
  hasQemuOverrides: boolean;
}

export function readPlacement(domain: XmlElement): Placement {
  const launchSecurity = elementAt(domain, "launchSecurity");
  const qemu = domain.children.filter(({ namespace }) => namespace === qemuNamespace);
  const commandLine = qemu.find(({ name }) => name === "commandline");
  return {
    partition: textOf(elementAt(domain, "resource", "partition")),
    staticLabels: childrenOf(domain, "seclabel")
      .filter((label) => attributeOf(label, "type") === "static")
      .map((label) => attributeOf(label, "model") ?? ""),
    launchSecurity:
      launchSecurity === undefined ? null : (attributeOf(launchSecurity, "type") ?? "unknown"),
    secrets: secretsIn(elementAt(domain, "devices")),
    qemuArguments: (commandLine?.children ?? [])
      .filter(({ name, namespace }) => name === "arg" && namespace === qemuNamespace)
      .map((argument) => attributeOf(argument, "value") ?? ""),
    hasQemuOverrides: qemu.some(({ name }) => name === "override"),
  };
}

/** Secrets are named at many depths: of images that images lie on, of servers, of a TPM's state. */
function secretsIn(devices: XmlElement | undefined): SecretUse[] {
  const found = new Map<string, SecretUse>();
  const waiting = devices === undefined ? [] : [devices];
  for (let element = waiting.pop(); element !== undefined; element = waiting.pop()) {
    const isSecret = element.name === "secret";
    const uuid = attributeOf(element, isSecret ? "uuid" : "secret");
    const usage = isSecret ? attributeOf(element, "usage") : null;
    if (uuid !== null || usage !== null) found.set(`${uuid} ${usage}`, { uuid, usage });
    for (const child of element.children) waiting.push(child);
  }
  return [...found.values()];
}
