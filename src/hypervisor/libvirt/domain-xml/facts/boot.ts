import { attributeOf, elementAt, textOf, type XmlElement } from "../xml/element.ts";

/** The variables of a UEFI firmware. */
export interface Nvram {
  /** The host's file; null where it lies elsewhere. */
  path: string | null;
  /** `file`, `block`, or `network`. */
  type: string;
  /** What a missing file is made from. */
  template: string | null;
}

/** What the guest starts from, its disks apart. */
export interface Boot {
  kernel: string | null;
  initrd: string | null;
  cmdline: string | null;
  /** Firmware image. */
  loader: string | null;
  nvram: Nvram | null;
}

export function readBoot(domain: XmlElement): Boot {
  const os = elementAt(domain, "os");
  return {
    kernel: textOf(elementAt(os, "kernel")),
    initrd: textOf(elementAt(os, "initrd")),
    cmdline: textOf(elementAt(os, "cmdline")),
    loader: textOf(elementAt(os, "loader")),
    nvram: readNvram(elementAt(os, "nvram")),
  };
}

function readNvram(nvram: XmlElement | undefined): Nvram | null {
  if (nvram === undefined) return null;
  const source = elementAt(nvram, "source");
  const path = attributeOf(source, "file") ?? attributeOf(source, "dev");
  return {
    path: source === undefined ? textOf(nvram) : path,
    type: attributeOf(nvram, "type") ?? "file",
    template: attributeOf(nvram, "template"),
  };
}
