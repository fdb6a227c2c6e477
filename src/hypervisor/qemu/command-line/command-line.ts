import { preconditionError } from "../../../platform/errors.ts";
import { knownOption, type OptionUse } from "./option-table.ts";

/** One option of QEMU's command line. */
export interface CommandLineOption {
  /** Without its dashes; null for an image that stands alone. */
  name: string | null;
  use: OptionUse;
  /** Null for an option that takes none. */
  value: string | null;
}

/** Most of a process's command line that is read: far more than any guest's. */
export const longestCommandLineBytes = 256 * 1024;

/**
 * The arguments of a process as /proc/PID/cmdline holds them: each ended by a zero byte (proc_pid_cmdline(5)).
 * @throws SojournError `SOJ_COMMAND_LINE` for none, one that is cut off, too long or not UTF-8.
 */
export function argumentsFromBytes(bytes: Uint8Array): string[] {
  if (bytes.length === 0)
    throw unreadable("it is empty: the process has ended, or is the kernel's");
  if (bytes.length > longestCommandLineBytes) {
    throw unreadable(`it is longer than ${longestCommandLineBytes} bytes`);
  }
  if (bytes.at(-1) !== 0) throw unreadable("it does not end as the kernel ends it");
  try {
    return utf8.decode(bytes).slice(0, -1).split("\0");
  } catch (cause) {
    throw unreadable("it is not UTF-8", cause);
  }
}

/**
 * Takes QEMU's arguments, without the program's name, apart into options, in their order.
 * @throws SojournError `SOJ_COMMAND_LINE` naming an option that is not known, or that lacks its value.
 */
export function parseCommandLine(args: readonly string[]): CommandLineOption[] {
  const options: CommandLineOption[] = [];
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? "";
    const name = /^--?([^-].*)$/s.exec(word)?.[1];
    if (name === undefined) {
      if (word.startsWith("-")) throw unreadable(`${shown(word)} is no option`);
      options.push({ name: null, use: "rewritten", value: word });
      continue;
    }
    const known = knownOption(name);
    if (known === undefined) {
      throw unreadable(
        `${shown(word)} is not known, so nobody can tell what it makes of the machine`,
      );
    }
    let value: string | null = null;
    if (known.takesValue) {
      value = args[++index] ?? null;
      if (value === null) throw unreadable(`${shown(word)} lacks its value`);
    }
    options.push({ name, use: known.use, value });
  }
  return options;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function shown(word: string): string {
  return JSON.stringify(word.slice(0, 80));
}

function unreadable(what: string, cause?: unknown) {
  return preconditionError("SOJ_COMMAND_LINE", `QEMU's command line cannot be used: ${what}`, {
    cause,
    guestState: "untouched",
    hint: "such a guest cannot be adopted; define it, shut it down and start it with Sojourn",
  });
}
