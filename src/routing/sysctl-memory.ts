import { mkdir, rename, writeFile } from "node:fs/promises";
import { SojournError } from "../platform/errors.ts";
import { readIfThere } from "../platform/files.ts";

export interface SysctlMemoryEntry {
  /** The value before our first change; null when the device did not exist then. */
  original: string | null;
  /** The value that we set. */
  ours: string;
}

/** What we changed, by path below /proc/sys. */
export type SysctlMemory = ReadonlyMap<string, SysctlMemoryEntry>;

const mostBytes = 1024 * 1024;

/** The memory of changed switches, kept in a file so that a restarted daemon can still restore them. */
export class SysctlStore {
  #entries = new Map<string, SysctlMemoryEntry>();
  #isLoaded = false;
  readonly #path: string | null;

  /** @param stateFolder null keeps it in memory only. */
  constructor(stateFolder: string | null) {
    this.#path = stateFolder === null ? null : `${stateFolder}/sysctls.json`;
  }

  /** @throws SojournError `SOJ_ROUTING_BAD_MEMORY` when the file is damaged. */
  async read(): Promise<SysctlMemory> {
    if (!this.#isLoaded && this.#path !== null) {
      const text = (await readIfThere(this.#path)) ?? "";
      this.#entries = parseSysctlMemory(text, this.#path);
    }
    this.#isLoaded = true;
    return new Map(this.#entries);
  }

  async write(memory: SysctlMemory): Promise<void> {
    this.#entries = new Map(memory);
    if (this.#path === null) return;
    await mkdir(this.#path.slice(0, this.#path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
    const draft = `${this.#path}.new`;
    await writeFile(draft, `${JSON.stringify(Object.fromEntries(memory), null, 2)}\n`, {
      mode: 0o600,
      flush: true,
    });
    await rename(draft, this.#path);
  }
}

/** @throws SojournError `SOJ_ROUTING_BAD_MEMORY`. */
export function parseSysctlMemory(text: string, path: string): Map<string, SysctlMemoryEntry> {
  const entries = new Map<string, SysctlMemoryEntry>();
  if (text === "") return entries;
  for (const [name, entry] of Object.entries(parseObject(text, path))) {
    if (!isEntry(entry)) throw damaged(path);
    entries.set(name, { original: entry.original, ours: entry.ours });
  }
  return entries;
}

function parseObject(text: string, path: string): Record<string, unknown> {
  if (text.length > mostBytes) throw damaged(path);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch (cause) {
    throw damaged(path, cause);
  }
  throw damaged(path);
}

function isEntry(value: unknown): value is SysctlMemoryEntry {
  if (typeof value !== "object" || value === null) return false;
  const { original, ours } = value as Record<string, unknown>;
  return (original === null || typeof original === "string") && typeof ours === "string";
}

function damaged(path: string, cause?: unknown): SojournError {
  return new SojournError("SOJ_ROUTING_BAD_MEMORY", `${path} is damaged`, {
    cause,
    hint: "it holds the sysctl values from before our changes; check them by hand, then remove it",
  });
}
