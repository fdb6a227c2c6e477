import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
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
