import { SojournError } from "../../platform/errors.ts";
import type { OpenFile, OpenStorage } from "../hypervisor.ts";
import { isObject } from "./qmp/messages.ts";

/** Block drivers that read a file or device of the host (QAPI `BlockdevDriver`). */
const localDrivers = new Set(["file", "host_device", "host_cdrom"]);

/**
 * The files and devices that QEMU has open for a guest, whatever has named them: definition, extra arguments, an
 * image's header, a snapshot made since.
 * @param nodes reply to `query-named-block-nodes`
 * @param devices reply to `query-block`
 * @throws SojournError `SOJ_QMP_PROTOCOL`
 */
export function openStorage(nodes: unknown, devices: unknown, disks: number): OpenStorage {
  if (!Array.isArray(nodes) || !Array.isArray(devices)) {
    throw new SojournError("SOJ_QMP_PROTOCOL", "QEMU's list of block devices is none");
  }
  const all = nodes.filter(isObject);
  const owners = ownersOf(all);
  const files = all.flatMap((node) => openFile(node, owners));
  return { files: mergedByPath(files), replacedDisks: replacedDisks(devices, disks) };
}

type Json = Record<string, unknown>;

function openFile(node: Json, owners: ReadonlyMap<string, number>): OpenFile[] {
  const { drv, file, ro } = node;
  if (typeof drv !== "string" || typeof file !== "string" || !localDrivers.has(drv)) return [];
  const cache = isObject(node.cache) ? node.cache : {};
  const path = pathIn(file);
  return [
    {
      ...{ path, disk: owners.get(path) ?? null, readOnly: ro === true },
      ...{ usesPageCache: cache.direct !== true, ignoresFlush: cache["no-flush"] === true },
    },
  ];
}

/** A node whose options do not fit into a name is told as `json:{…}`. */
function pathIn(file: string): string {
  if (!file.startsWith("json:")) return file;
  try {
    let options: unknown = JSON.parse(file.slice("json:".length));
    while (isObject(options)) {
      if (typeof options.filename === "string") return options.filename;
      options = options.file;
    }
  } catch {
    // What cannot be read is told as it is, and is found nowhere.
  }
  return file;
}

/** Which disk of the definition each file belongs to, by the image that QEMU calls `diskN` and those it lies on. */
function ownersOf(nodes: readonly Json[]): Map<string, number> {
  const owners = new Map<string, number>();
  for (const node of nodes) {
    const disk = /^disk(\d+)$/.exec(nameOf(node["node-name"]))?.[1];
    let image: unknown = node.image;
    while (disk !== undefined && isObject(image)) {
      if (typeof image.filename === "string") owners.set(pathIn(image.filename), Number(disk));
      image = image["backing-image"];
    }
  }
  return owners;
}

/** Each file once, with the most that any node does to it. */
function mergedByPath(files: readonly OpenFile[]): OpenFile[] {
  const merged = new Map<string, OpenFile>();
  for (const file of files) {
    const known = merged.get(file.path) ?? file;
    merged.set(file.path, {
      ...{ path: file.path, disk: known.disk ?? file.disk },
      readOnly: known.readOnly && file.readOnly,
      usesPageCache: known.usesPageCache || file.usesPageCache,
      ignoresFlush: known.ignoresFlush || file.ignoresFlush,
    });
  }
  return [...merged.values()];
}

/** Disks whose device has another image than the one it was started with. */
function replacedDisks(devices: readonly unknown[], disks: number): number[] {
  return devices.filter(isObject).flatMap(({ qdev, inserted }) => {
    const disk = /(?:^|\/)virtio-disk(\d+)(?:\/|$)/.exec(nameOf(qdev))?.[1];
    if (disk === undefined || Number(disk) >= disks || !isObject(inserted)) return [];
    return inserted["node-name"] === `disk${disk}` ? [] : [Number(disk)];
  });
}

function nameOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
