import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { usageError } from "../../platform/errors.ts";

/**
 * Absolute path of `sojourn`, as this very one was installed.
 * @param given in its place. @throws SojournError `SOJ_USAGE` when it is no absolute path of a program
 */
export function programPath(given: string | undefined): string {
  if (given === undefined) {
    return realpathSync(join(import.meta.dirname, "..", "..", "..", "bin", "sojourn"));
  }
  if (isAbsolute(given) && isProgram(given)) return given;
  throw usageError(`--program ${given} is no absolute path of a program`);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The daemon's socket as the hook is to find it, from whatever folder libvirt runs it in; null for its usual place. */
export function hookSocket(given: string | undefined): string | null {
  if (given === undefined || given === "") return null;
  return resolve(given);
}
