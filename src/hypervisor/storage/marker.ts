import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { namesIn } from "../../platform/files.ts";
import { type LockSight, MarkerLock, seekLock } from "./marker-lock.ts";

/** A file that one host writes beside an image, for the other to find, to see locked, and to answer in. */
export interface MarkerRequest {
  /** Its name and what is in it: 32 hexadecimal digits each. */
  nonce: string;
  answer: string;
}

/** What the other host made of a marker. */
export interface MarkerSight {
  seen: boolean;
  lock: LockSight;
  /** `written` shows on the first host only if what the second one writes gets there. */
  answer: "written" | "read-only" | "denied" | "failed";
}

const prefix = ".sojourn-check-";
const longestMarkerBytes = 256;
/** One that is left is nobody's any more. Long, for hosts whose clocks differ. */
const abandonedAfterMs = 24 * 3_600_000;

/** A marker of ours, removed when it is disposed of. */
export class Marker implements Disposable {
  readonly #path: string;
  readonly #lock: MarkerLock | null;
  /** Whether its lock is held; false where the file system has none. */
  readonly isLocked: boolean;

  /** Writes it into the folder of `real`. @throws the system's error; nothing is left then. */
  constructor(real: string, { nonce }: Pick<MarkerRequest, "nonce">) {
    const folder = dirname(real);
    this.#path = join(folder, nameOf(nonce));
    try {
      write(this.#path, contentOf(nonce));
      write(lockPath(this.#path), "");
      removeAbandoned(this.#path);
    } catch (error) {
      this.#remove();
      throw error;
    }
    this.#lock = MarkerLock.tryOpen(lockPath(this.#path));
    this.isLocked = this.#lock !== null;
  }

  /** Whether the other host's answer has arrived. */
  hasAnswer(answer: string): boolean {
    return read(this.#path).split("\n").includes(answer);
  }

  [Symbol.dispose](): void {
    this.#lock?.[Symbol.dispose]();
    this.#remove();
  }

  #remove(): void {
    remove(lockPath(this.#path));
    remove(this.#path);
  }
}

/** Looks in the folder of `real` for what the other host wrote, for its lock, and answers. Throws nothing. */
export function seekMarker(real: string, { nonce, answer }: MarkerRequest): MarkerSight {
  const path = join(dirname(real), nameOf(nonce));
  try {
    if (!read(path).startsWith(contentOf(nonce))) throw new Error("another content");
    removeAbandoned(path);
  } catch {
    return { seen: false, lock: "untried", answer: "failed" };
  }
  return { seen: true, lock: seekLock(lockPath(path)), answer: answerIn(path, answer) };
}

function answerIn(path: string, answer: string): MarkerSight["answer"] {
  try {
    append(path, `${answer}\n`);
    return "written";
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EROFS") return "read-only";
    return code === "EACCES" || code === "EPERM" ? "denied" : "failed";
  }
}

function nameOf(nonce: string): string {
  if (!/^[0-9a-f]{32}$/.test(nonce)) throw new Error("not a nonce");
  return `${prefix}${nonce}`;
}

function lockPath(path: string): string {
  return `${path}.lock`;
}

function contentOf(nonce: string): string {
  return `sojourn ${nonce}\n`;
}

function write(path: string, content: string): void {
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  withFile(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, (file) => {
    writeSync(file, content);
    fsyncSync(file);
  });
}

function append(path: string, content: string): void {
  const { O_APPEND, O_WRONLY, O_NOFOLLOW } = constants;
  withFile(path, O_WRONLY | O_APPEND | O_NOFOLLOW, (file) => {
    writeSync(file, content);
    fsyncSync(file);
  });
}

function read(path: string): string {
  return withFile(path, constants.O_RDONLY | constants.O_NOFOLLOW, (file) => {
    const buffer = Buffer.alloc(longestMarkerBytes);
    return buffer.toString("latin1", 0, readSync(file, buffer));
  });
}

function withFile<Result>(path: string, flags: number, work: (file: number) => Result): Result {
  const file = openSync(path, flags | constants.O_NONBLOCK, 0o644);
  try {
    return work(file);
  } finally {
    closeSync(file);
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not made, or its file system is away; the next check in this folder looks for it.
  }
}

/**
 * Removes what a host that went down in the middle of a check has left beside `fresh`, which tells the time: storage may
 * have a clock of its own.
 */
function removeAbandoned(fresh: string): void {
  const folder = dirname(fresh);
  const nowMs = writtenMs(fresh);
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    if (name.startsWith(prefix) && nowMs - writtenMs(path) > abandonedAfterMs) remove(path);
  }
}

/** NaN, which compares with nothing, for one that is gone. */
function writtenMs(path: string): number {
  return lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NaN;
}
