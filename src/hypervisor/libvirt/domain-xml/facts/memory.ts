import { domainXmlError } from "../errors.ts";
import { attributeOf, childrenOf, elementAt, textOf, type XmlElement } from "../xml/element.ts";
import { bytesOf } from "./quantity.ts";

/** A memory device, such as a DIMM or persistent memory. */
export interface MemoryDevice {
  model: "dimm" | "nvdimm" | "virtio-pmem" | "virtio-mem" | "sgx-epc" | (string & {});
  /** The host's file that holds it; null without. */
  path: string | null;
}

export interface SharedMemory {
  name: string;
  /** Only the `master`'s memory migrates. */
  role: string | null;
  hasServer: boolean;
}

export interface Memory {
  /** What the guest was started with, memory devices included. */
  bytes: number;
  currentBytes: number;
  usesHugePages: boolean;
  devices: readonly MemoryDevice[];
  shared: readonly SharedMemory[];
  /** NUMA nodes of the host that it must be on, as libvirt lists them; null for any. */
  hostNodes: string | null;
}

export function readMemory(domain: XmlElement): Memory {
  const memory = elementAt(domain, "memory");
  if (memory === undefined) throw domainXmlError("it has no <memory>");
  const current = elementAt(domain, "currentMemory");
  const devices = elementAt(domain, "devices");
  const numa = elementAt(domain, "numatune", "memory");
  return {
    bytes: bytesOf(memory),
    currentBytes: bytesOf(current ?? memory),
    usesHugePages: elementAt(domain, "memoryBacking", "hugepages") !== undefined,
    devices: childrenOf(devices, "memory").map((device) => ({
      model: attributeOf(device, "model") ?? "",
      path: textOf(elementAt(device, "source", "path")),
    })),
    shared: childrenOf(devices, "shmem").map((device) => ({
      name: attributeOf(device, "name") ?? "",
      role: attributeOf(device, "role"),
      hasServer: elementAt(device, "server") !== undefined,
    })),
    // The mode is `strict` unless it says otherwise; the others do not keep a guest from starting.
    hostNodes:
      (attributeOf(numa, "mode") ?? "strict") === "strict" ? attributeOf(numa, "nodeset") : null,
  };
}
