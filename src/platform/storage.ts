import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { replaceFileDurably, syncFolder } from "./files.ts";

/**
 * Files that must survive a power loss. All calls are synchronous: the caller's next line relies on them. They throw
 * the system's errors (`ENOSPC`, `EROFS`, …).
 */
export interface Storage {
  /** The content, or null when there is no such file. */
  read(path: string): Buffer | null;
  /** Names in a folder. */
  list(folder: string): string[];
  /** Makes a folder and its parents. */
  makeFolder(path: string): void;
  /** After a power loss either the old or the new content is there. */
  replace(path: string, content: string | Uint8Array): void;
  /** Durable; nothing when there is none. */
  remove(path: string): void;
  /**
   * Opens, or makes, a file that only grows; its entry in the folder is durable, and what is in it: whoever wrote that may
   * have ended before it was.
   */
  openForAppending(path: string): AppendableFile;
}

export interface AppendableFile extends Disposable {
  /** In the file, but not on disk before `sync`. */
  write(bytes: Uint8Array): void;
  /** fdatasync(2). */
  sync(): void;
  /** The same while the process goes on: a disk that hangs then holds nothing else up. */
  syncInBackground(): Promise<void>;
  truncate(lengthBytes: number): void;
}

/** This machine's file system. */
export const diskStorage: Storage = {
  read: (path) => (existsSync(path) ? readFileSync(path) : null),
  list: (folder) => readdirSync(folder),
  makeFolder: (path) => {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  },
  replace: (path, content) => replaceFileDurably(path, content),
  remove: (path) => {
    rmSync(path, { force: true });
    syncFolder(dirname(path));
  },
  openForAppending: (path) => {
    const isNew = !existsSync(path);
    const file = openSync(path, "a", 0o600);
    if (isNew) syncFolder(dirname(path));
    else fdatasyncSync(file);
    return {
      write: (bytes) => writeFileSync(file, bytes),
      sync: () => fdatasyncSync(file),
      syncInBackground: () => promisify(fdatasync)(file),
      truncate: (lengthBytes) => ftruncateSync(file, lengthBytes),
      [Symbol.dispose]: () => closeSync(file),
    };
  },
};
