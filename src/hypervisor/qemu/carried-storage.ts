import type { GuestDefinition } from "../definition.ts";
import type { OpenStorage } from "../hypervisor.ts";
import { openStorage } from "./open-storage.ts";
import { isObject } from "./qmp/messages.ts";

/**
 * As `openStorage`, for a guest whose command line was not ours: its devices and images have other names, so that disks
 * of the definition are known by their paths. One that QEMU was given by a relative path is found by its end.
 * @throws SojournError `SOJ_QMP_PROTOCOL`
 */
export function carriedStorage(
  nodes: unknown,
  devices: unknown,
  disks: GuestDefinition["disks"],
): OpenStorage {
  const whole = (file: string) => {
    if (file.startsWith("/")) return file;
    const end = `/${file.replace(/^(\.\/)+/, "")}`;
    return disks.find(({ path }) => path.endsWith(end))?.path ?? file;
  };
  const indexOf = (file: string) => {
    const found = disks.findIndex(({ path }) => path === file);
    return found === -1 ? null : found;
  };
  const files = openStorage(nodes, devices, 0).files.map((file) => {
    const path = whole(file.path);
    return { ...file, path, disk: indexOf(path) };
  });
  const used = new Set(usedImages(devices).map(whole));
  const replacedDisks = disks.flatMap(({ path }, index) => (used.has(path) ? [] : [index]));
  return { files, replacedDisks };
}

/** What the guest's devices use, without what that lies on. */
function usedImages(devices: unknown): string[] {
  return (Array.isArray(devices) ? devices : []).flatMap((device) => {
    if (!isObject(device) || !isObject(device.inserted)) return [];
    return typeof device.inserted.file === "string" ? [device.inserted.file] : [];
  });
}
