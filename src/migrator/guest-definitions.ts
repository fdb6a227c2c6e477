import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "smol-toml";
import { type GuestDefinition, parseGuestDefinition } from "../hypervisor/definition.ts";
import { preconditionError, reasonOf, type SojournError, usageError } from "../platform/errors.ts";
import { diskStorage } from "../platform/storage.ts";
import { maxTomlBytes } from "../platform/toml.ts";

const extension = ".toml";

/**
 * Reads a guest's definition, one NAME.toml a guest. The name is a checked one (names.ts).
 * @throws SojournError `SOJ_GUEST_UNKNOWN` (404) when there is none; `SOJ_GUEST_DEFINITION_INVALID` with what is wrong
 * in the file, why it cannot be read, or that it defines another guest.
 */
export function readDefinition(folder: string, name: string, host: string): GuestDefinition {
  const path = join(folder, `${name}${extension}`);
  const stamp = stampOf(path);
  if (stamp === null) {
    throw preconditionError("SOJ_GUEST_UNKNOWN", `there is no guest ${name} on ${host}`, {
      httpStatus: 404,
      hint: "sojourn guest ls; a guest is known at its home and at the host where it is",
    });
  }
  const known = parsed.get(path);
  if (known?.stamp === stamp) return known.definition;
  const definition = parseGuestDefinition(read(path), path);
  if (definition.name === name) {
    remember(path, stamp, definition);
    return definition;
  }
  throw usageError(
    `${path} defines ${definition.name}, not ${name}`,
    `write name = "${name}" in it, with addresses and a MAC address of its own, or call the file ${definition.name}${extension}`,
    "SOJ_GUEST_DEFINITION_INVALID",
  );
}

/** The guests that the folder's files are named after, but for hidden ones (an editor's); none without the folder. */
export function definedNames(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(extension) && !file.startsWith("."))
    .map((file) => file.slice(0, -extension.length));
}

/** A definition as the text of its file. Pure. */
export function definitionText(definition: GuestDefinition): string {
  return stringify(definition);
}

/** Writes a guest's definition, durable when it returns; only its owner may read it. */
export function writeDefinition(folder: string, definition: GuestDefinition): void {
  diskStorage.makeFolder(folder);
  diskStorage.replace(join(folder, `${definition.name}${extension}`), definitionText(definition));
}

/** Removes a guest's definition, for good when it returns; nothing when there is none. */
export function removeDefinition(folder: string, name: string): void {
  diskStorage.remove(join(folder, `${name}${extension}`));
}

/** Files that were read before: lists of guests are asked for often, and definitions seldom change. */
const parsed = new Map<string, { stamp: string; definition: GuestDefinition }>();
const mostParsed = 1_000;

function remember(path: string, stamp: string, definition: GuestDefinition): void {
  const [oldest] = parsed.keys();
  if (parsed.size >= mostParsed && oldest !== undefined) parsed.delete(oldest);
  parsed.set(path, { stamp, definition });
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw unreadable(path, reasonOf(cause));
  }
}

/**
 * Another one for another content; null without a file. What is no ordinary file of a sensible size is not even opened:
 * a pipe would hold the whole process up until somebody writes.
 */
function stampOf(path: string): string | null {
  const status = statusOf(path);
  if (status === null) return null;
  if (!status.isFile()) throw unreadable(path, "it is not a regular file");
  if (status.size > maxTomlBytes) throw unreadable(path, `it is longer than ${maxTomlBytes} bytes`);
  return `${status.ino} ${status.size} ${status.mtimeNs} ${status.ctimeNs}`;
}

function statusOf(path: string) {
  const options = { bigint: true, throwIfNoEntry: false } as const;
  try {
    const status = statSync(path, options);
    if (status !== undefined) return status;
    if (lstatSync(path, options) === undefined) return null;
  } catch (cause) {
    throw unreadable(path, reasonOf(cause));
  }
  throw unreadable(path, "it is a link to a file that is not there");
}

function unreadable(path: string, reason: string): SojournError {
  const message = `cannot read ${path}: ${reason}`;
  return usageError(message, undefined, "SOJ_GUEST_DEFINITION_INVALID");
}
