import { closeSync, openSync, readSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { readQcow2Header } from "./qcow2-header.ts";
import { systemReason } from "./system-reason.ts";

/** One file of an image. */
export interface ChainLink {
  path: string;
  /** What others lie on is only read; an image's data file is not. */
  readOnly: boolean;
  /** Why what it lies on is not known; null when it is, or lies on nothing. */
  reason: string | null;
}

const headerBytes = 64 * 1024;
/** QEMU's images can be deeper, but nobody's guest starts from one. */
const deepest = 64;

/**
 * The files that an image needs: itself, its external data, the images that it lies on. A raw image is never looked
 * into: what the guest has written there could name any file of the host. Throws nothing.
 */
export function backingChain(path: string, format: "raw" | "qcow2"): ChainLink[] {
  const links: ChainLink[] = [];
  let next: { path: string; format: string } | null = { path, format };
  while (next !== null) {
    const current: { path: string; format: string } = next;
    next = null;
    const readOnly = links.length > 0;
    const link: ChainLink = { path: current.path, readOnly, reason: null };
    links.push(link);
    if (current.format !== "qcow2") continue;
    try {
      const header = readQcow2Header(startOf(current.path));
      const at = (name: string) => besideImage(current.path, name);
      if (header.dataFile !== null) {
        links.push({ path: at(header.dataFile), readOnly, reason: null });
      }
      if (header.backingFile === null) continue;
      if (links.length >= deepest)
        throw new Error(`more than ${deepest} images lie on one another`);
      next = { path: at(header.backingFile), format: header.backingFormat ?? "unknown" };
      if (next.format === "unknown") next.format = guessedFormat(next.path);
    } catch (error) {
      link.reason = systemReason(error);
    }
  }
  return links;
}

/** A name in an image is relative to the folder that the image was named in (QEMU, `path_combine`). */
function besideImage(image: string, name: string): string {
  const path = name.startsWith("file:") ? name.slice("file:".length) : name;
  if (isAbsolute(path)) return path;
  if (/^[a-z][a-z0-9+.-]*:/i.test(path)) throw new Error(`it lies on ${path.slice(0, 100)}`);
  return resolve(dirname(image), path);
}

/** As QEMU does where the image does not tell. */
function guessedFormat(path: string): string {
  return startOf(path, 4).toString("latin1") === "QFI\xfb" ? "qcow2" : "raw";
}

function startOf(path: string, bytes = headerBytes): Buffer {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(bytes);
    return buffer.subarray(0, readSync(file, buffer));
  } finally {
    closeSync(file);
  }
}
