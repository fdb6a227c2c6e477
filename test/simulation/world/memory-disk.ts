import { basename, dirname } from "node:path";
import type { AppendableFile, Storage } from "../../../src/platform/storage.ts";
import type { DaemonProcess } from "./daemon-process.ts";
import type { Random } from "./random.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export type WriteSide = "before" | "written" | "after";

export type DiskFailure = "full" | "read-only" | "slow";

/** How long bytes take to the disk when nobody waits for them (ms), and on a disk that is slow. */
const [syncMs, slowSyncMs] = [0.4, 3_000];

interface File {
  bytes: Buffer;
  /** Bytes of it that a power loss leaves. */
  durableBytes: number;
}

/** A host's disk, which its daemons see one after the other. */
export class MemoryDisk {
  readonly #files = new Map<string, File>();
  readonly #clock: VirtualClock;
  fails: DiskFailure | null = null;
  /** Whether fdatasync does what it promises. */
  syncs = true;
  /**
   * Called before and after everything that is made durable, with what that is, and when bytes are written that are
   * not on disk yet: a daemon's end leaves them, a power loss may not.
   */
  onDurable: (side: WriteSide, what: string) => void = () => {};
  onReplaced: (path: string, content: string) => void = () => {};

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** Bytes that were not yet on disk are lost, but for some that had got there. */
  losePower(random: Random): void {
    for (const file of this.#files.values()) {
      const pending = file.bytes.length - file.durableBytes;
      if (pending === 0) continue;
      file.bytes = file.bytes.subarray(0, file.durableBytes + random.below(pending + 1));
      file.durableBytes = file.bytes.length;
    }
  }

  read(path: string): Buffer | null {
    return this.#files.get(path)?.bytes ?? null;
  }

  list(folder: string): string[] {
    const paths = [...this.#files.keys()].filter((path) => dirname(path) === folder);
    return paths.map((path) => basename(path));
  }

  /** The disk as one process may use it. */
  storageFor(process: DaemonProcess): Storage {
    const durably = (what: string, change: () => void, side: WriteSide = "before") => {
      process.check();
      this.onDurable(side, what);
      process.check();
      change();
      this.onDurable("after", what);
      process.check();
    };
    return {
      read: (path) => this.read(path),
      list: (folder) => this.list(folder),
      makeFolder: () => {},
      replace: (path, content) =>
        durably(`replace ${path}`, () => {
          if (this.fails === "full" || this.fails === "read-only") throw this.#failure();
          const bytes = Buffer.from(content);
          this.#files.set(path, { bytes, durableBytes: bytes.length });
          this.onReplaced(path, bytes.toString());
        }),
      remove: (path) =>
        durably(`remove ${path}`, () => {
          if (this.fails === "read-only") throw this.#failure();
          this.#files.delete(path);
        }),
      openForAppending: (path) => this.#append(path, durably, process),
    };
  }

  #append(
    path: string,
    durably: (what: string, change: () => void, side: WriteSide) => void,
    process: DaemonProcess,
  ): AppendableFile {
    if (this.fails === "read-only") throw this.#failure();
    const open = this.#files.get(path) ?? { bytes: Buffer.alloc(0), durableBytes: 0 };
    this.#files.set(path, open);
    if (this.syncs) open.durableBytes = open.bytes.length;
    return {
      write: (bytes) => {
        process.check();
        this.onDurable("before", `append to ${path}`);
        process.check();
        if (this.fails === "read-only") throw this.#failure();
        const written = this.fails === "full" ? bytes.length >> 1 : bytes.length;
        open.bytes = Buffer.concat([open.bytes, bytes.subarray(0, written)]);
        if (this.fails === "full") throw this.#failure();
      },
      sync: () =>
        durably(
          `sync ${path}`,
          () => {
            if (this.syncs) open.durableBytes = open.bytes.length;
          },
          "written",
        ),
      syncInBackground: async () => {
        process.check();
        this.onDurable("written", `sync ${path}`);
        process.check();
        const written = open.bytes.length;
        const delayMs = this.fails === "slow" ? slowSyncMs : syncMs;
        await new Promise<void>((resolve, reject) => {
          this.#clock.after(delayMs, () => {
            const kept = Math.min(written, open.bytes.length);
            if (this.syncs) open.durableBytes = Math.max(open.durableBytes, kept);
            if (!process.alive) return;
            try {
              this.onDurable("after", `sync ${path}`);
              process.check();
              this.#clock.deliver(process, 0, resolve);
            } catch (error) {
              reject(error);
            }
          });
        });
      },
      truncate: (length) => {
        process.check();
        if (this.fails === "read-only") throw this.#failure();
        open.bytes = open.bytes.subarray(0, length);
        open.durableBytes = Math.min(open.durableBytes, length);
      },
      [Symbol.dispose]: () => {},
    };
  }

  #failure(): Error {
    return new Error(
      this.fails === "full" ? "ENOSPC: no space left on device" : "EROFS: read-only file system",
    );
  }
}
