import { parseCommandLine } from "./command-line.ts";
import { escaped } from "./option-list.ts";
import { knownOption } from "./option-table.ts";
import { consolePlaceholder, tapPlaceholder } from "./placeholders.ts";

/** Most of all of a guest's carried arguments together: a definition travels in one message between hosts. */
const mostBytes = 24 * 1024;

/** What is wrong with arguments that are to be carried, and which; null for nothing. Pure. */
export function carriedArgumentFault(
  args: readonly string[],
): { index: number; message: string } | null {
  let bytes = 0;
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? "";
    bytes += Buffer.byteLength(word) + 1;
    if (bytes > mostBytes) return { index, message: `more than ${mostBytes} bytes of arguments` };
    if (/\p{Cc}/u.test(word)) return { index, message: "control characters in it" };
    if (!word.startsWith("-")) continue;
    const option = knownOption(word.replace(/^--?/, ""));
    if (option === undefined)
      return { index, message: `${word.slice(0, 80)} is no option of QEMU's` };
    if (option.use === "dropped") return { index, message: `${word} is set by Sojourn` };
    if (option.use === "refused") return { index, message: `${word} cannot move with a guest` };
    if (!option.takesValue) continue;
    const value = args[++index];
    if (value === undefined) return { index: index - 1, message: `${word} lacks its value` };
    bytes += Buffer.byteLength(value) + 1;
    if (/\p{Cc}/u.test(value)) return { index, message: "control characters in it" };
  }
  return bytes > mostBytes
    ? { index: 0, message: `more than ${mostBytes} bytes of arguments` }
    : null;
}

/** Whether QEMU opens images for the guest. Pure. */
export function nameImages(carried: readonly string[]): boolean {
  return parseCommandLine(carried).some(({ name }) => name === null || imageOptions.test(name));
}

const imageOptions = /^(blockdev|cdrom|drive|fd[ab]|hd[a-d]|mtdblock|pflash|sd)$/;

/** The arguments with one process's tap and console in their places. */
export function placedArguments(
  carried: readonly string[],
  { tapName, console }: { tapName: string; console: string },
): string[] {
  return carried.map((word) =>
    word
      .replaceAll(tapPlaceholder, () => tapName)
      .replaceAll(consolePlaceholder, () => escaped(console)),
  );
}
