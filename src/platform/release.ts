import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Root of the checkout, or the installation, that this runs from. */
const root = join(import.meta.dirname, "..", "..");

/** The command itself, as a user would run it. */
export const sojournProgram = join(root, "bin", "sojourn");

/** The version of the package that this runs from; `unknown` where it does not tell. */
export function releaseVersion(): string {
  try {
    const text = readFileSync(join(root, "package.json"), "utf8");
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    return "unknown";
  }
}
