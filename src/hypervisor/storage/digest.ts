import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { monotonicMs } from "../../platform/clock.ts";
import { systemReason } from "./system-reason.ts";

/** What a file holds, in short. */
export interface FileDigest {
  /** Hexadecimal; null when it was not read to its end. */
  sha256: string | null;
  reason: string | null;
}

const chunkBytes = 1024 * 1024;

/** SHA-256 of a file, unless reading it takes longer than until `deadlineMs` (monotonic). Throws nothing. */
export function digestOf(path: string, deadlineMs: number): FileDigest {
  let file: number | null = null;
  try {
    file = openSync(path, "r");
    const hash = createHash("sha256");
    const chunk = Buffer.alloc(chunkBytes);
    for (;;) {
      if (monotonicMs() > deadlineMs) return { sha256: null, reason: "it takes too long to read" };
      const bytes = readSync(file, chunk);
      if (bytes === 0) return { sha256: hash.digest("hex"), reason: null };
      hash.update(chunk.subarray(0, bytes));
    }
  } catch (error) {
    return { sha256: null, reason: systemReason(error) };
  } finally {
    if (file !== null) closeSync(file);
  }
}
