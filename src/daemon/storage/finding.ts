import type { FileUse } from "./file-uses.ts";

/** The two hosts, by name. */
export interface Hosts {
  here: string;
  there: string;
}

export type StorageCode =
  | "SOJ_BOOT_FILE"
  | "SOJ_DISK_CACHE"
  | "SOJ_DISK_LOCKS"
  | "SOJ_DISK_NOT_SHARED"
  | "SOJ_DISK_REPLACED"
  | "SOJ_DISK_UNPROVEN"
  | "SOJ_DISK_UNUSABLE";

/** What is to be said of one file of a guest. */
export interface Finding {
  level: "fine" | "warn" | "refuse";
  use: Pick<FileUse, "label" | "path">;
  /** Null for what is fine. */
  code: StorageCode | null;
  /** What is found, said of the file. */
  message: string;
  hint: string | null;
}

type Use = Finding["use"];

export function fine(use: Use, message: string): Finding {
  return { level: "fine", use, code: null, message, hint: null };
}

export function warn(use: Use, code: StorageCode, message: string, hint: string): Finding {
  return { level: "warn", use, code, message, hint };
}

export function refuse(use: Use, code: StorageCode, message: string, hint: string): Finding {
  return { level: "refuse", use, code, message, hint };
}

/** A finding as a sentence. */
export function sentenceOf({ use, message }: Finding): string {
  return `${use.label} (${use.path}) ${message}`;
}

/** What to do. */
export const whatHelps = {
  shareDisk: ({ here, there }: Hosts) =>
    `put it on storage that ${here} and ${there} both have under this path (NFS, Ceph, a cluster file system, a SAN); disks of one host cannot be moved along yet`,
  copyBootFile: ({ here, there }: Hosts) => `copy ${here}'s to ${there}, under the same path`,
  mend: ({ path }: Use, host: string) => `on ${host}: ls -l ${path}; findmnt -T ${path}`,
  vouch: "if you know that both hosts see the same, write `shared = true` into its [[disks]]",
};
