import { attributeOf, childrenOf, elementAt, type XmlElement } from "../xml/element.ts";

/** Where an image lies. */
export interface DiskSource {
  /** `none`: no medium is in the drive. */
  type: "file" | "block" | "network" | "volume" | "dir" | "nvme" | "none" | (string & {});
  /** Of the host's file, device, folder or socket; null for the types that have none. */
  path: string | null;
  /** For `network`: the protocol, and the image's name in it. */
  protocol: string | null;
  name: string | null;
  /** `ADDRESS` or `ADDRESS:PORT` of a `network` image's servers. */
  servers: readonly string[];
  /** For `volume`. */
  pool: string | null;
  volume: string | null;
  /** Of the image: `raw`, `qcow2`, …; null where it is not said. */
  format: string | null;
  /** Where the data of an image with an external data file lie. */
  dataFile: DiskSource | null;
}

/** A drive of the guest (https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms). */
export interface DomainDisk extends DiskSource {
  /** The name by which libvirt tells it from others: `vda`. */
  target: string;
  bus: string | null;
  device: "disk" | "cdrom" | "floppy" | "lun" | (string & {});
  /** As it is written: `none`, `directsync`, …; null for QEMU's default, which is `writeback`. */
  cache: string | null;
  isReadOnly: boolean;
  isShareable: boolean;
  isTransient: boolean;
  /** The images that it lies on, the next one first. */
  backing: readonly DiskSource[];
  /** Whether that list goes to the last image; if not, only the images themselves can tell. */
  isBackingComplete: boolean;
  /** Whether it is being copied elsewhere. */
  hasMirror: boolean;
  hasReservations: boolean;
}

export function readDisks(domain: XmlElement): DomainDisk[] {
  return childrenOf(elementAt(domain, "devices"), "disk").map(readDisk);
}

function readDisk(disk: XmlElement): DomainDisk {
  const target = elementAt(disk, "target");
  const driver = elementAt(disk, "driver");
  const { images, isComplete } = readBacking(disk);
  const source = readSource(disk, attributeOf(driver, "type"));
  return {
    ...source,
    type: hasMedium(source) ? source.type : "none",
    target: attributeOf(target, "dev") ?? "",
    bus: attributeOf(target, "bus"),
    device: attributeOf(disk, "device") ?? "disk",
    cache: attributeOf(driver, "cache"),
    isReadOnly: elementAt(disk, "readonly") !== undefined,
    isShareable: elementAt(disk, "shareable") !== undefined,
    isTransient: elementAt(disk, "transient") !== undefined,
    backing: images,
    isBackingComplete: isComplete,
    hasMirror: elementAt(disk, "mirror") !== undefined,
    hasReservations: elementAt(disk, "source", "reservations") !== undefined,
  };
}

/** An empty `<backingStore/>` ends the list. */
function readBacking(disk: XmlElement): { images: DiskSource[]; isComplete: boolean } {
  const images: DiskSource[] = [];
  let store = elementAt(disk, "backingStore");
  while (store !== undefined && attributeOf(store, "type") !== null) {
    images.push(readSource(store, attributeOf(elementAt(store, "format"), "type")));
    store = elementAt(store, "backingStore");
  }
  return { images, isComplete: store !== undefined };
}

function readSource(image: XmlElement, format: string | null): DiskSource {
  const source = elementAt(image, "source");
  const dataStore = elementAt(source, "dataStore");
  const path = ["file", "dev", "dir", "path"]
    .map((name) => attributeOf(source, name))
    .find((value) => value !== null);
  return {
    type: attributeOf(image, "type") ?? "file",
    path: path ?? null,
    protocol: attributeOf(source, "protocol"),
    name: attributeOf(source, "name"),
    servers: childrenOf(source, "host").map(serverOf),
    pool: attributeOf(source, "pool"),
    volume: attributeOf(source, "volume"),
    format,
    dataFile:
      dataStore === undefined
        ? null
        : readSource(dataStore, attributeOf(elementAt(dataStore, "format"), "type")),
  };
}

function serverOf(host: XmlElement): string {
  const port = attributeOf(host, "port");
  const name = attributeOf(host, "name") ?? attributeOf(host, "socket") ?? "";
  return port === null ? name : `${name}:${port}`;
}

function hasMedium({ type, path, protocol, volume }: DiskSource): boolean {
  if (type === "file" || type === "block" || type === "dir") return path !== null;
  if (type === "network") return protocol !== null;
  return type !== "volume" || volume !== null;
}
