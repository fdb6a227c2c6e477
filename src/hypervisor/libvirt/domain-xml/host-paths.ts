import { attributeOf, elementsAt, type Span, type XmlElement } from "./xml/element.ts";

/** A path of the host that a domain names. */
export interface HostPath {
  path: string;
  use: HostPathUse;
  /**
   * What must be at the destination: the thing itself, or only its folder, where QEMU or libvirt makes the thing.
   */
  need: "there" | "folder";
}

export type HostPathUse =
  | "kernel"
  | "initrd"
  | "device-tree"
  | "acpi-table"
  | "loader"
  | "nvram"
  | "nvram-template"
  | "emulator"
  | "disk"
  | "character-device"
  | "log"
  | "graphics"
  | "input"
  | "random"
  | "filesystem"
  | "shared-memory"
  | "tpm"
  | "memory"
  | "nic"
  | "crash-storage"
  | "audio";

/** A path and where in the text it stands, references unresolved. */
export interface PlacedPath extends HostPath {
  place: Span;
}

interface Rule {
  /** Names of elements below the domain. */
  at: readonly string[];
  /** The attribute that is the path; null where the element's text is. */
  attribute: string | null;
  use: HostPathUse;
  need: HostPath["need"];
}

/** Every path that a domain names, in the order of the text. */
export function hostPathsOf(domain: XmlElement): PlacedPath[] {
  const devices = elementsAt(domain, "devices");
  const found = [
    ...rules.flatMap((rule) => placesOf(elementsAt(domain, ...rule.at), rule)),
    ...elementsAt(domain, "devices", "disk").flatMap(diskPaths),
    ...devices.flatMap(({ children }) => children.flatMap(characterDevicePaths)),
  ];
  return found.toSorted((a, b) => a.place.start - b.place.start);
}

const rule = (
  at: string,
  attribute: string | null,
  use: HostPathUse,
  need: HostPath["need"] = "there",
): Rule => ({ at: at.split("/"), attribute, use, need });

const rules: readonly Rule[] = [
  rule("os/kernel", null, "kernel"),
  rule("os/initrd", null, "initrd"),
  rule("os/dtb", null, "device-tree"),
  rule("os/acpi/table", null, "acpi-table"),
  rule("os/loader", null, "loader"),
  rule("os/nvram", null, "nvram", "folder"),
  rule("os/nvram/source", "file", "nvram", "folder"),
  rule("os/nvram/source", "dev", "nvram"),
  rule("os/nvram", "template", "nvram-template"),
  rule("devices/emulator", null, "emulator"),
  rule("devices/graphics", "socket", "graphics", "folder"),
  rule("devices/graphics/listen", "socket", "graphics", "folder"),
  rule("devices/graphics/gl", "rendernode", "graphics"),
  rule("devices/video/model/acceleration", "rendernode", "graphics"),
  rule("devices/input/source", "dev", "input"),
  rule("devices/input/source", "evdev", "input"),
  rule("devices/rng/backend", null, "random"),
  rule("devices/filesystem/source", "dir", "filesystem"),
  rule("devices/filesystem/source", "file", "filesystem"),
  rule("devices/filesystem/source", "socket", "filesystem"),
  rule("devices/filesystem/binary", "path", "filesystem"),
  rule("devices/shmem/server", "path", "shared-memory"),
  rule("devices/tpm/backend/device", "path", "tpm"),
  rule("devices/tpm/backend/source", "path", "tpm", "folder"),
  rule("devices/memory/source/path", null, "memory"),
  rule("devices/interface/script", "path", "nic"),
  rule("devices/interface/downscript", "path", "nic"),
  rule("devices/interface/source", "path", "nic"),
  rule("devices/interface/backend", "tap", "nic"),
  rule("devices/interface/backend", "vhost", "nic"),
  rule("devices/interface/backend", "logFile", "log", "folder"),
  rule("devices/pstore/path", null, "crash-storage", "folder"),
  rule("devices/audio", "path", "audio", "folder"),
];

function placesOf(elements: readonly XmlElement[], { attribute, use, need }: Rule): PlacedPath[] {
  return elements.flatMap((element) => {
    const found = attribute === null ? element : element.attributes.get(attribute);
    const path = attribute === null ? element.text : attributeOf(element, attribute);
    const isText = element.children.length === 0;
    const place = found === element ? (isText ? element.content : null) : (found?.span ?? null);
    // Some of these attributes hold names of another kind where a type says so.
    return path?.startsWith("/") && place !== null ? [{ path, use, need, place }] : [];
  });
}

/** A disk's images name others, which name others. */
function diskPaths(disk: XmlElement): PlacedPath[] {
  const paths: PlacedPath[] = [];
  const waiting = [disk];
  for (let element = waiting.pop(); element !== undefined; element = waiting.pop()) {
    const attributes =
      element.name === "source"
        ? ["file", "dev", "dir", "path"]
        : element.name === "host"
          ? ["socket"]
          : [];
    for (const attribute of attributes) {
      paths.push(...placesOf([element], { at: [], attribute, use: "disk", need: "there" }));
    }
    for (const child of element.children) waiting.push(child);
  }
  return paths;
}

const characterDevices = new Set([
  ...["serial", "parallel", "console", "channel", "redirdev", "smartcard", "rng"],
]);

/** A random number generator may have its channel one element further in. */
function characterDevicePaths(device: XmlElement): PlacedPath[] {
  if (device.namespace !== "" || !characterDevices.has(device.name)) return [];
  const holders = [device, ...elementsAt(device, "backend")];
  const type = attributeOf(device, "type") ?? "";
  const at = (name: string) => holders.flatMap((holder) => elementsAt(holder, name));
  return [
    ...at("source").flatMap((source) => placesOf([source], sourceRule(type, source))),
    ...placesOf(at("log"), { at: [], attribute: "file", use: "log", need: "folder" }),
    ...placesOf(at("database"), {
      ...{ at: [], attribute: null, use: "character-device", need: "there" },
    }),
  ];
}

function sourceRule(type: string, source: XmlElement): Rule {
  const isMade = type === "file" || attributeOf(source, "mode") === "bind";
  const need = isMade ? "folder" : "there";
  return { at: [], attribute: "path", use: "character-device", need };
}
