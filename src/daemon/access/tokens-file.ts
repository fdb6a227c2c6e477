import { constants, type Stats } from "node:fs";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { delay, monotonicMs } from "../../platform/clock.ts";
import { preconditionError, type SojournError } from "../../platform/errors.ts";
import { replaceFileDurably } from "../../platform/files.ts";
import { tryLockFile } from "../lock-file.ts";
import { formatTokens, parseTokens, type TokenEntry } from "./tokens.ts";

const maxFileBytes = 1024 * 1024;

/**
 * The tokens in a file; none when there is no such file.
 * @throws SojournError `SOJ_TOKENS_UNSAFE` when others than root (or this process's user) may read or write it,
 * `SOJ_TOKENS_INVALID`, `SOJ_TOKENS_UNREADABLE`.
 */
export async function readTokensFile(path: string): Promise<TokenEntry[]> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    if (code === "ELOOP") throw unsafe(path, "is a symbolic link");
    throw preconditionError("SOJ_TOKENS_UNREADABLE", `cannot read ${path}: ${code}`, { cause });
  }
  try {
    const fault = faultOf(await file.stat());
    if (fault !== null) throw unsafe(path, fault);
    return parseTokens(await file.readFile("utf8"), path);
  } finally {
    await file.close();
  }
}

/**
 * Replaces the tokens in a file by what `change` makes of them; one process at a time.
 * @throws SojournError as `readTokensFile`; `SOJ_TOKENS_BUSY`; what `change` throws, and then nothing is changed.
 */
export async function changeTokensFile(
  path: string,
  change: (tokens: readonly TokenEntry[]) => TokenEntry[],
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await using _held = await lock(`${path}.lock`);
  const changed = change(await readTokensFile(path));
  // One that is left over would keep its own mode.
  await rm(`${path}.new`, { force: true });
  replaceFileDurably(path, formatTokens(changed), 0o600);
}

const longestWaitMs = 5_000;

async function lock(path: string): Promise<AsyncDisposable> {
  const deadline = monotonicMs() + longestWaitMs;
  for (;;) {
    const held = await tryLockFile(path);
    if (held !== null) return held;
    if (monotonicMs() > deadline) {
      throw preconditionError("SOJ_TOKENS_BUSY", `another process holds ${path}`, {
        retryable: true,
        hint: "try again when the other command has ended",
      });
    }
    await delay(20);
  }
}

function faultOf(found: Stats): string | null {
  if (!found.isFile()) return "is not a file";
  if (found.uid !== 0 && found.uid !== process.geteuid?.()) return `belongs to user ${found.uid}`;
  const mode = found.mode & 0o777;
  if ((mode & 0o077) !== 0) return `has mode 0${mode.toString(8)}`;
  return found.size > maxFileBytes ? `is longer than ${maxFileBytes} bytes` : null;
}

function unsafe(path: string, fault: string): SojournError {
  return preconditionError(
    "SOJ_TOKENS_UNSAFE",
    `${path} ${fault}: tokens are read from root's own file of mode 0600 only`,
    { hint: `chown root: ${path} && chmod 600 ${path}` },
  );
}
