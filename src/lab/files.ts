import { readFileSync, renameSync, writeFileSync } from "node:fs";

/** Replaces a file in one step, so that a reader never sees half of it. */
export function writeFileAtomically(path: string, text: string, mode = 0o644): void {
  const temporary = `${path}.new`;
  writeFileSync(temporary, text, { mode });
  renameSync(temporary, path);
}

/** The file's text, or null when it cannot be read. */
export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/** A record the lab wrote itself, or null when it is missing or damaged. */
export function readRecord<T>(path: string): T | null {
  const text = readIfThere(path);
  if (text === null) return null;
  try {
    return JSON.parse(text) as T;
  } catch {
    return null;
  }
}

/** The last `maxBytes` of a text file, for error messages. */
export function tailOf(path: string, maxBytes = 1500): string {
  return (readIfThere(path) ?? "").slice(-maxBytes).trim();
}
