import { parseDomainDocument } from "./document.ts";
import { domainXmlError } from "./errors.ts";
import { type Boot, readBoot } from "./facts/boot.ts";
import { type CharacterDevice, readCharacterDevices } from "./facts/character-device.ts";
import { type DomainDisk, readDisks } from "./facts/disk.ts";
import { type Graphics, readAcceleration, readGraphics } from "./facts/graphics.ts";
import { type HostDevice, readHostDevices } from "./facts/host-device.ts";
import { type Memory, readMemory } from "./facts/memory.ts";
import { type DomainNic, readNics } from "./facts/nic.ts";
import { type OtherDevices, readOtherDevices } from "./facts/other-devices.ts";
import { type Placement, readPlacement } from "./facts/placement.ts";
import { type Processor, readProcessor } from "./facts/processor.ts";
import { type HostPath, hostPathsOf } from "./host-paths.ts";
import { attributeOf, elementAt, textOf, type XmlElement } from "./xml/element.ts";

/** What a domain is, and what ties it to its host. */
export interface DomainFacts extends OtherDevices {
  /** libvirt takes more characters in it than Sojourn does in a guest's name. */
  name: string;
  /** Lower case. */
  uuid: string;
  /** What runs it: `kvm` or `qemu` (software emulation); others are no QEMU. */
  virtualization: "kvm" | "qemu" | (string & {});
  architecture: string;
  /** QEMU's machine type with its version, `pc-q35-10.0`. */
  machine: string;
  emulator: string | null;
  boot: Boot;
  memory: Memory;
  processor: Processor;
  nics: readonly DomainNic[];
  disks: readonly DomainDisk[];
  characterDevices: readonly CharacterDevice[];
  hostDevices: readonly HostDevice[];
  graphics: readonly Graphics[];
  hasGraphicsAcceleration: boolean;
  placement: Placement;
  /** Every path of the host that is named, in the order of the text. */
  hostPaths: readonly HostPath[];
}

/**
 * Reads a domain's description (https://libvirt.org/formatdomain.html). As it runs now (no flags), it tells the taps and
 * bridges that libvirt chose; as it would migrate (`XmlFlag.migratable`), it is what the destination is given.
 * @throws SojournError `SOJ_LIBVIRT_XML` for what is none, or beyond the limits.
 */
export function readDomain(xml: string): DomainFacts {
  const domain = parseDomainDocument(xml);
  const type = elementAt(domain, "os", "type");
  return {
    name: needed(textOf(elementAt(domain, "name")), "<name>"),
    uuid: readUuid(domain),
    virtualization: needed(attributeOf(domain, "type"), "type"),
    architecture: attributeOf(type, "arch") ?? "",
    machine: attributeOf(type, "machine") ?? "",
    emulator: textOf(elementAt(domain, "devices", "emulator")),
    boot: readBoot(domain),
    memory: readMemory(domain),
    processor: readProcessor(domain),
    nics: readNics(domain),
    disks: readDisks(domain),
    characterDevices: readCharacterDevices(domain),
    hostDevices: readHostDevices(domain),
    graphics: readGraphics(domain),
    hasGraphicsAcceleration: readAcceleration(domain),
    ...readOtherDevices(domain),
    placement: readPlacement(domain),
    hostPaths: hostPathsOf(domain).map(({ path, use, need }) => ({ path, use, need })),
  };
}

function readUuid(domain: XmlElement): string {
  const uuid = needed(textOf(elementAt(domain, "uuid")), "<uuid>")
    .trim()
    .toLowerCase();
  // libvirt also takes it with hyphens elsewhere, or none.
  const digits = uuid.replaceAll("-", "");
  const parts = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(digits);
  if (parts === null) throw domainXmlError(`<uuid> is ${JSON.stringify(uuid.slice(0, 60))}`);
  return parts.slice(1).join("-");
}

function needed(value: string | null, what: string): string {
  if (value !== null) return value;
  throw domainXmlError(`it has no ${what}`);
}
