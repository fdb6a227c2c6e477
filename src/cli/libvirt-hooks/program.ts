import { existsSync, realpathSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { usageError } from "../../platform/errors.ts";

/**
 * Absolute path of `sojourn`, as this very one was installed.
 * @param given in its place. @throws SojournError `SOJ_USAGE` when it is no absolute path of a file
 */
export function programPath(given: string | undefined): string {
  if (given === undefined) {
    return realpathSync(join(import.meta.dirname, "..", "..", "..", "bin", "sojourn"));
  }
  if (isAbsolute(given) && existsSync(given)) return given;
  throw usageError(`--program ${given} is no absolute path of a file`);
}
