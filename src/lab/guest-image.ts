import {
  createReadStream,
  createWriteStream,
  existsSync,
  lstatSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { copyFile, rename } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { runCommand } from "../platform/command.ts";
import { preconditionError, usageError } from "../platform/errors.ts";
import { installationRoot, labPaths } from "./layout.ts";

/** An overlay lives in the guest's memory. */
const maxOverlayBytes = 256 * 1024 * 1024;
const maxOverlayEntries = 20_000;

export interface GuestImageOptions {
  kernel?: string | undefined;
  initrd?: string | undefined;
  /** Folder whose content is laid over the guest's root file system. */
  overlay?: string | undefined;
}

export interface GuestImage {
  kernel: string;
  initrd: string;
}

/**
 * The kernel and initial RAM disk that the lab's guests boot, with the overlay appended if there is one.
 * @throws SojournError `SOJ_LAB_IMAGE_MISSING`, `SOJ_LAB_OVERLAY`.
 */
export async function guestImage(lab: string, options: GuestImageOptions): Promise<GuestImage> {
  const image = guestFiles(options);
  if (options.overlay === undefined) return image;
  const merged = labPaths(lab).overlayImage;
  await appendOverlay(image.initrd, resolve(options.overlay), merged);
  return { kernel: image.kernel, initrd: merged };
}

/** The files before any overlay; looked at before anything is built. */
export function guestFiles({ kernel, initrd }: GuestImageOptions): GuestImage {
  const folder = join(installationRoot, "build", "guest");
  return {
    kernel: existing(kernel, join(folder, "vmlinuz")),
    initrd: existing(initrd, join(folder, "initramfs.cpio.gz")),
  };
}

/** Relative names of everything below `folder`. @throws SojournError `SOJ_LAB_OVERLAY`. */
export function overlayEntries(folder: string): string[] {
  const entries: string[] = [];
  let bytes = 0;
  const walk = (relative: string) => {
    for (const { name } of readdirSync(join(folder, relative), { withFileTypes: true })) {
      const entry = join(relative, name);
      const stat = lstatSync(join(folder, entry));
      entries.push(entry);
      bytes += stat.size;
      if (entries.length > maxOverlayEntries || bytes > maxOverlayBytes) {
        throw overlayError(
          `${folder} is too large for a guest's memory (at most ${maxOverlayEntries} files and ${maxOverlayBytes} bytes)`,
        );
      }
      if (stat.isDirectory()) walk(entry);
    }
  };
  if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw overlayError(`${folder} is not a folder`);
  }
  walk("");
  return entries;
}

/** The kernel unpacks archives that follow one another (Linux, Documentation/driver-api/early-userspace). */
async function appendOverlay(initrd: string, folder: string, target: string): Promise<void> {
  const entries = overlayEntries(folder);
  const [archive, unfinished] = [`${target}.cpio`, `${target}.new`];
  try {
    await runCommand(
      "cpio",
      [
        "--create",
        "--format=newc",
        "--null",
        "--owner=+0:+0",
        "--quiet",
        "-D",
        folder,
        "-O",
        archive,
      ],
      { input: entries.map((entry) => `${entry}\0`).join(""), timeoutMs: 60_000 },
    );
    await copyFile(initrd, unfinished);
    await pipeline(
      createReadStream(archive),
      createGzip({ level: 1 }),
      createWriteStream(unfinished, { flags: "a" }),
    );
    await rename(unfinished, target);
  } finally {
    for (const file of [archive, unfinished]) rmSync(file, { force: true });
  }
}

function existing(given: string | undefined, standard: string): string {
  const path = resolve(given ?? standard);
  if (existsSync(path)) return path;
  throw preconditionError("SOJ_LAB_IMAGE_MISSING", `the guest's file ${path} does not exist`, {
    hint: given === undefined ? "./scripts/setup builds it" : "give the path of an existing file",
  });
}

function overlayError(message: string) {
  return usageError(message, undefined, "SOJ_LAB_OVERLAY");
}
