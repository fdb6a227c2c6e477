import type { GuestDefinition } from "../../definition.ts";
import type { OpenFile, OpenStorage } from "../../hypervisor.ts";
import type { DiskSource, DomainDisk } from "../domain-xml/facts/disk.ts";

/**
 * What a domain has open as storage by its XML as it runs, images that others lie on included. Storage without a path
 * (a pool's volume, another machine's) is not in it: such a domain is refused before.
 */
export function openStorage(
  disks: readonly DomainDisk[],
  defined: GuestDefinition["disks"],
): OpenStorage {
  const used = new Set(disks.flatMap(({ path }) => (path === null ? [] : [path])));
  return {
    files: disks.flatMap((disk) => filesOf(disk, defined)),
    replacedDisks: defined.flatMap(({ path }, index) => (used.has(path) ? [] : [index])),
  };
}

function filesOf(disk: DomainDisk, defined: GuestDefinition["disks"]): OpenFile[] {
  const found = defined.findIndex(({ path }) => path === disk.path);
  const common = {
    disk: found === -1 ? null : found,
    usesPageCache: disk.cache !== "none" && disk.cache !== "directsync",
    ignoresFlush: disk.cache === "unsafe",
  };
  const own = pathsOf(disk).map((path) => ({ path, readOnly: disk.isReadOnly, ...common }));
  const below = disk.backing.flatMap(pathsOf).map((path) => ({ path, readOnly: true, ...common }));
  return [...own, ...below];
}

function pathsOf({ path, dataFile }: DiskSource): string[] {
  return [path, dataFile?.path ?? null].filter((each) => each !== null);
}
