import { accessSync, constants, realpathSync, statfsSync, statSync } from "node:fs";
import { type DeviceIdentity, deviceIdentity } from "./device-identity.ts";
import { filesystemName } from "./filesystems.ts";
import { type MarkerRequest, type MarkerSight, seekMarker } from "./marker.ts";
import { systemReason } from "./system-reason.ts";

/** What a host finds at a path, as it travels between hosts. */
export interface StorageFile {
  path: string;
  found: "file" | "block" | "other" | "missing" | "unreadable";
  /** Why it cannot be read, in the system's words. */
  reason: string | null;
  /** The path without symbolic links. */
  real: string | null;
  size_bytes: number;
  /** Decimal; 64 bits. */
  inode: string;
  filesystem: string;
  writable: boolean;
  /** Another one for another content. */
  stamp: string;
  device: DeviceIdentity | null;
  /** Null when no marker was looked for. */
  marker: MarkerSight | null;
}

export interface LookRequest {
  path: string;
  /** Written by the other host beside what it has at this path. */
  marker?: MarkerRequest | null | undefined;
}

/** Looks at a path; blocks as long as its file system does. Throws nothing. */
export function lookAt({ path, marker }: LookRequest): StorageFile {
  try {
    const real = realpathSync(path);
    const status = statSync(real, { bigint: true });
    const found = status.isFile() ? "file" : status.isBlockDevice() ? "block" : "other";
    const isFile = found === "file";
    const device = found === "block" ? deviceIdentity(status.rdev) : null;
    const stamp = [status.dev, status.ino, status.size, status.mtimeNs, status.ctimeNs].join(" ");
    const unreadable = isAllowed(real, constants.R_OK);
    if (unreadable !== null) return { ...nothing(path), found: "unreadable", reason: unreadable };
    return {
      ...{ path, found, reason: null, real, device, stamp },
      size_bytes: Number(device?.size_bytes ?? status.size),
      inode: String(status.ino),
      filesystem: filesystemName(statfsSync(real).type),
      writable: isAllowed(real, constants.W_OK) === null,
      marker: isFile && marker ? seekMarker(real, marker) : null,
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isMissing = code === "ENOENT" || code === "ENOTDIR";
    return {
      ...nothing(path),
      found: isMissing ? "missing" : "unreadable",
      reason: systemReason(error),
    };
  }
}

/** Null when access(2) allows it. */
function isAllowed(path: string, mode: number): string | null {
  try {
    accessSync(path, mode);
    return null;
  } catch (error) {
    return systemReason(error);
  }
}

function nothing(path: string): StorageFile {
  return {
    ...{ path, found: "missing", reason: null, real: null, size_bytes: 0, inode: "0" },
    ...{ filesystem: "unknown", writable: false, stamp: "", device: null, marker: null },
  };
}
