import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The version of the package this runs from, two folders up in a checkout as in an installation. */
export function releaseVersion(): string {
  const path = join(import.meta.dirname, "..", "..", "package.json");
  try {
    return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
  } catch {
    return "unknown";
  }
}
