import { attributeOf, childrenOf, elementAt, isYes, type XmlElement } from "../xml/element.ts";

/** A folder of the host that the guest mounts. */
export interface Filesystem {
  /** `path` is 9p; `virtiofs` is a program beside QEMU. */
  driver: "path" | "virtiofs" | (string & {});
  source: string | null;
  /** The guest's name for it. */
  target: string | null;
}

export interface Tpm {
  /** `emulator` is swtpm, a program beside QEMU with state of its own; `passthrough` is the host's chip. */
  backend: "emulator" | "passthrough" | "external" | (string & {});
  /** Where the state lies, or the chip's device; null where libvirt chooses. */
  path: string | null;
  isPersistent: boolean;
}

export interface HostInput {
  /** `passthrough` and `evdev` are input devices of the host. */
  type: string;
  path: string | null;
}

export interface Vsock {
  /** The guest's context id, one of its own per host; null where libvirt chooses. */
  contextId: string | null;
}

/** What else of a domain has an end at the host. */
export interface OtherDevices {
  filesystems: readonly Filesystem[];
  tpms: readonly Tpm[];
  inputs: readonly HostInput[];
  vsocks: readonly Vsock[];
  /** Cryptographic devices, which QEMU does not migrate. */
  cryptoDevices: number;
  /** Locks that a lock manager holds for the guest, as `LOCKSPACE/KEY`. */
  leases: readonly string[];
}

export function readOtherDevices(domain: XmlElement): OtherDevices {
  const devices = elementAt(domain, "devices");
  return {
    filesystems: childrenOf(devices, "filesystem").map(readFilesystem),
    tpms: childrenOf(devices, "tpm").map(readTpm),
    inputs: childrenOf(devices, "input").flatMap(readInput),
    vsocks: childrenOf(devices, "vsock").map((vsock) => {
      const contextId = elementAt(vsock, "cid");
      return { contextId: isYes(contextId, "auto") ? null : attributeOf(contextId, "address") };
    }),
    cryptoDevices: childrenOf(devices, "crypto").length,
    leases: childrenOf(devices, "lease").map(
      (lease) =>
        `${elementAt(lease, "lockspace")?.text ?? ""}/${elementAt(lease, "key")?.text ?? ""}`,
    ),
  };
}

function readFilesystem(filesystem: XmlElement): Filesystem {
  const source = elementAt(filesystem, "source");
  return {
    driver: attributeOf(elementAt(filesystem, "driver"), "type") ?? "path",
    source:
      attributeOf(source, "dir") ?? attributeOf(source, "file") ?? attributeOf(source, "socket"),
    target: attributeOf(elementAt(filesystem, "target"), "dir"),
  };
}

function readTpm(tpm: XmlElement): Tpm {
  const backend = elementAt(tpm, "backend");
  return {
    backend: attributeOf(backend, "type") ?? "",
    path:
      attributeOf(elementAt(backend, "device"), "path") ??
      attributeOf(elementAt(backend, "source"), "path"),
    isPersistent: isYes(backend, "persistent_state"),
  };
}

function readInput(input: XmlElement): HostInput[] {
  const source = elementAt(input, "source");
  if (source === undefined) return [];
  const path = attributeOf(source, "evdev") ?? attributeOf(source, "dev");
  return [{ type: attributeOf(input, "type") ?? "", path }];
}
