import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { preconditionError } from "../../platform/errors.ts";

/**
 * @throws SojournError `SOJ_DNS_KEY_FILE` when the key's file cannot be read, or others than root (or this process's user)
 * may use it.
 */
export async function checkKeyFile(path: string): Promise<void> {
  const fail = (reason: string, hint: string) =>
    preconditionError("SOJ_DNS_KEY_FILE", `${path} is unusable: ${reason}`, { hint });
  try {
    // A pipe would hold one of the few threads for files until somebody writes into it.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { uid, mode, ...facts } = await file.stat();
    if (!isFile(mode)) throw fail("it is no file", "name a regular file");
    if (uid !== 0 && uid !== process.geteuid?.()) {
      throw fail(`it belongs to user ${uid}`, `chown root ${path}`);
    }
    if ((mode & 0o077) !== 0) throw fail("others than its owner may use it", `chmod 0600 ${path}`);
    if (facts.size > 16_384) throw fail("it is too long", "tsig-keygen NAME writes such a file");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith("SOJ_")) throw error;
    throw fail(code ?? String(error), "the daemon must be able to read it");
  }
}

function isFile(mode: number): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFREG;
}
