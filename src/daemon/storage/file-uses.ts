import type { GuestDefinition } from "../../hypervisor/definition.ts";
import type { OpenStorage } from "../../hypervisor/hypervisor.ts";

/** A file or device that a guest needs, and what it does with it. */
export interface FileUse {
  path: string;
  /** What it is to the guest, as the beginning of a sentence. */
  label: string;
  /** What it boots from is read once, at its start; the rest all the time. */
  kind: "disk" | "boot";
  readOnly: boolean;
  /** Somebody has said that both hosts see the same. */
  isVouchedFor: boolean;
  usesPageCache: boolean;
  ignoresFlush: boolean;
}

/** What a guest's definition names. */
export function definedUses(definition: GuestDefinition): FileUse[] {
  const { kernel, initrd, disks } = definition;
  const boot = Object.entries({ kernel, initrd }).flatMap(([label, path]) =>
    path === undefined ? [] : [{ ...plain, path, label, kind: "boot" as const, readOnly: true }],
  );
  const images = disks.map((disk, index) => ({
    ...{ ...plain, path: disk.path, label: `disk ${index}`, kind: "disk" as const },
    readOnly: disk.read_only,
    isVouchedFor: disk.shared === true,
    usesPageCache: disk.cache === undefined || disk.cache === "writeback",
  }));
  return [...boot, ...images];
}

/** What a guest that runs uses: what its process says, and what its definition names besides. Each path once. */
export function usesWhileRunning(definition: GuestDefinition, open: OpenStorage): FileUse[] {
  const defined = definedUses(definition);
  const opened = open.files.map((file): FileUse => {
    const known = defined.find(({ path, kind }) => path === file.path && kind === "disk");
    const label = file.disk === null ? "storage" : `an image below disk ${file.disk}`;
    const { readOnly, usesPageCache, ignoresFlush } = file;
    return {
      ...{ path: file.path, label: known?.label ?? label, kind: "disk" },
      ...{ readOnly, usesPageCache, ignoresFlush },
      isVouchedFor: file.disk !== null && definition.disks[file.disk]?.shared === true,
    };
  });
  const isOpen = new Set(opened.map(({ path }) => path));
  return [...defined.filter(({ path, kind }) => kind === "boot" || !isOpen.has(path)), ...opened];
}

const plain = { isVouchedFor: false, usesPageCache: false, ignoresFlush: false };
