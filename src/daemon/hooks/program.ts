import { constants, type Stats } from "node:fs";
import { access, lstat, realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { SojournError } from "../../platform/errors.ts";
import { type GroupProcessResult, runInGroup } from "../../platform/group-process.ts";

/** Of each of a program's outputs. */
const programOutputBytes = 16 * 1024;

/** What a hook's program is given besides `SOJOURN_…`. */
const fixedEnvironment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  HOME: "/",
};

export interface ProgramRun {
  /** Absolute path. */
  program: string;
  /** The payload, on standard input. */
  input: string;
  /** `SOJOURN_…` variables. */
  environment: Readonly<Record<string, string>>;
  timeoutMs: number;
  signal?: AbortSignal;
  /** Nobody waits for it: it must not take the processor from a switchover that begins after it. */
  isBackground?: boolean;
}

/**
 * Runs a hook's program: by root's will alone, in bounded time, with bounded output, leaving no process behind.
 * @throws SojournError `SOJ_HOOK_PROGRAM_REFUSED` when others than root could have written it; what `runInGroup`
 * throws when it cannot be started.
 */
export async function runHookProgram(run: ProgramRun): Promise<GroupProcessResult> {
  await checkProgram(run.program);
  return await runInGroup(run.program, {
    input: run.input,
    env: { ...fixedEnvironment, ...run.environment },
    timeoutMs: run.timeoutMs,
    maxOutputBytes: programOutputBytes,
    isBackground: run.isBackground ?? false,
    ...(run.signal === undefined ? {} : { signal: run.signal }),
  });
}

/**
 * A program that runs as root must be root's alone, and so must its folder, in which it could be replaced, and those
 * above it, where the folder could be. A symbolic link is refused: who may change what it points to is not seen here.
 * @throws SojournError `SOJ_HOOK_PROGRAM_REFUSED`.
 */
export async function checkProgram(path: string): Promise<void> {
  const folder = dirname(path);
  const ways = [folder, await realpath(folder).catch(() => folder)];
  for (const above of new Set(ways.flatMap(foldersAbove))) {
    checkAncestor(above, await statOf(above));
  }
  checkOwner(folder, await statOf(folder));
  const facts = await statOf(path);
  if (!facts.isFile()) throw refused(path, "it is no regular file");
  checkOwner(path, facts);
  try {
    await access(path, constants.X_OK);
  } catch {
    throw refused(path, "it is not executable", `chmod 0755 ${path}`);
  }
}

async function statOf(path: string): Promise<Stats> {
  try {
    return await lstat(path);
  } catch (error) {
    throw refused(path, (error as NodeJS.ErrnoException).code ?? String(error));
  }
}

function foldersAbove(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [] : [...foldersAbove(above), above];
}

/** In a folder with the sticky bit nobody replaces what is root's (chmod(1)), and a link's mode says nothing. */
function checkAncestor(path: string, facts: Stats): void {
  const isSticky = facts.isDirectory() && (facts.mode & 0o1000) !== 0;
  if (facts.uid === 0 && (isSticky || facts.isSymbolicLink())) return;
  checkOwner(path, facts);
}

function checkOwner(path: string, facts: Stats): void {
  if (facts.uid !== 0) throw refused(path, "it is not root's", `chown root ${path}`);
  if ((facts.mode & 0o022) === 0) return;
  throw refused(path, "others than its owner may write to it", `chmod go-w ${path}`);
}

function refused(path: string, reason: string, hint?: string): SojournError {
  return new SojournError("SOJ_HOOK_PROGRAM_REFUSED", `${basename(path)} is not run: ${reason}`, {
    exitCode: 3,
    httpStatus: 409,
    hint: hint ?? `look at ${path}`,
  });
}
