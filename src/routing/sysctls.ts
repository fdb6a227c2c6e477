import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";

const root = "/proc/sys";

/** The switch's value without surrounding blanks; null when it (or its device) does not exist. */
export async function readSysctl(path: string): Promise<string | null> {
  try {
    return (await readFile(`${root}/${path}`, "utf8")).trim();
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** Whether this kernel speaks IPv6 at all. */
export function hasIpv6(): boolean {
  return existsSync(`${root}/net/ipv6`);
}

/** Writes a switch of this process's network namespace. */
export async function writeSysctl(path: string, value: string): Promise<void> {
  await writeFile(`${root}/${path}`, value, { flag: "r+" });
}

/** True for what the file system says of a device that has gone. */
export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" || code === "ENODEV";
}
