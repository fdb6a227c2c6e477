import { chmodSync, cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./doc-blocks.ts";

/**
 * A folder that is a checkout to the lines of the documentation: scripts/ is a copy whose set-up does nothing (this
 * checkout has had it), `tools/sudo` becomes its command, and all else that is not in `except` is this checkout's own.
 */
export function makeStandInCheckout(folder: string, except: readonly string[] = []): void {
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, "scripts"), join(folder, "scripts"), { recursive: true });
  writeProgram(join(folder, "scripts", "setup"), "exit 0");
  const replaced = new Set([".git", "scripts", ...except]);
  for (const name of readdirSync(root)) {
    if (!replaced.has(name)) symlinkSync(join(root, name), join(folder, name));
  }
  mkdirSync(join(folder, "tools"));
  writeProgram(join(folder, "tools", "sudo"), 'exec "$@"');
}

/** Writes an executable shell script. */
export function writeProgram(path: string, script: string): void {
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}
