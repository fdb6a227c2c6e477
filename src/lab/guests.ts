import { extname, join } from "node:path";
import { stringify } from "smol-toml";
import { runCommand } from "../platform/command.ts";
import { asSojournError, SojournError } from "../platform/errors.ts";
import { derivedMac } from "../platform/names.ts";
import type { GuestImage } from "./guest-image.ts";
import { writeIfDifferent } from "./host-files.ts";
import { hostAddresses, labPaths } from "./layout.ts";
import { labNodePrefix } from "./nodes.ts";

/** Every guest of a fresh lab starts here. */
export const firstHost = "host-a";
export const maxGuests = 64;
/** With less the lab's own guest does not get through its boot: its kernel and initial file system need that. */
export const leastMemoryMib = 80;
const bootWithinMs = 60_000;

/**
 * What every guest of the lab has on its kernel's command line. Warnings and worse come to the console: an emulated
 * processor takes a second for all that a kernel says of its boot, and more for the tests of its ciphers.
 */
export const kernelWords = ["console=ttyS0", "loglevel=5", "cryptomgr.notests=1", "panic=-1"];

export interface GuestOptions {
  memoryMib: number;
  /** More words for the guest's kernel command line. */
  append: string;
  /** The node whose guest subnet their addresses are of; the first host by default. */
  home?: string;
}

/** A guest that runs, or is paused, after `up`. */
export interface UpGuest {
  host: string;
  state: string;
  /** It runs where the client has no way to it. */
  isAway: boolean;
}

/** `web1`, `web2`, … */
export function guestName(number: number): string {
  return `web${number}`;
}

/** 10.1.0.10 for web1, unless its home is another node than the first host. */
export function guestAddress(number: number, home: string = firstHost): string {
  const [network = ""] = hostAddresses(home).guestSubnet.split("/");
  return network.replace(/\.0$/, `.${9 + number}`);
}

/** Writes the guest's definition into the first host's folder of definitions. */
export function writeGuestDefinition(
  lab: string,
  number: number,
  image: GuestImage,
  options: GuestOptions,
): void {
  const name = guestName(number);
  const { home = firstHost } = options;
  const address = `${guestAddress(number, home)}/24`;
  const gateway = hostAddresses(home).guestGateway;
  const definition = stringify({
    name,
    memory_mib: options.memoryMib,
    kernel: image.kernel,
    initrd: image.initrd,
    append: kernelArguments(number, options.append, home),
    nics: [{ mac: derivedMac(`lab ${lab} guest ${name}`), addresses: [address], gateway }],
  });
  writeIfDifferent(guestDefinitionPath(lab, name), definition);
}

/** Where the definition of a guest of this name is, as `writeGuestDefinition` leaves it. */
export function guestDefinitionPath(lab: string, name: string): string {
  return join(labPaths(lab).node(firstHost).etc, "guests", `${name}.toml`);
}

/** The guest's kernel command line, with the words of `more` at its end. */
export function kernelArguments(number: number, more: string, home: string = firstHost): string {
  const { guestGateway } = hostAddresses(home);
  return [
    ...[...kernelWords, `sojourn.hostname=${guestName(number)}`],
    ...[
      `sojourn.address=${guestAddress(number, home)}/24`,
      `sojourn.gateway=${guestGateway}`,
      more,
    ],
  ]
    .join(" ")
    .trim();
}

export interface KnownGuest {
  name: string;
  state: string;
  /** Where it is, as far as the asked daemon knows. */
  host?: string | null;
}

/** The guest as a host's daemon tells it, or null when it does not know it. */
export async function findGuest(
  lab: string,
  host: string,
  name: string,
): Promise<KnownGuest | null> {
  const text = await sojournIn(lab, host, ["guest", "ls", "--json"]);
  const guests = JSON.parse(text) as KnownGuest[];
  return guests.find((guest) => guest.name === name) ?? null;
}

/** Has the guest started by its first host's daemon. */
export async function startGuest(lab: string, name: string): Promise<void> {
  await sojournIn(lab, firstHost, ["guest", "start", name, "--json"]);
}

/** Waits until the guest's echo service answers the client. @throws SojournError `SOJ_LAB_GUEST_SILENT`. */
export async function waitForGuest(
  lab: string,
  number: number,
  signal?: AbortSignal,
  home: string = firstHost,
): Promise<void> {
  const address = guestAddress(number, home);
  const script = join(import.meta.dirname, `echo-check${extname(import.meta.filename)}`);
  const [program, ...prefix] = labNodePrefix(lab, "client") as [string, ...string[]];
  const { exitCode } = await runCommand(
    program,
    [...prefix, process.execPath, script, address, "7", String(bootWithinMs)],
    {
      timeoutMs: bootWithinMs + 15_000,
      acceptExitCodes: [1],
      ...(signal === undefined ? {} : { signal }),
    },
  );
  if (exitCode === 0) return;
  throw new SojournError(
    "SOJ_LAB_GUEST_SILENT",
    `${guestName(number)} was started, but ${address}:7 did not answer the client within ${bootWithinMs} ms`,
    {
      hint: `see: sojourn lab exec --lab ${lab} ${firstHost} -- sojourn guest show ${guestName(number)}`,
    },
  );
}

/** Runs a `sojourn` command in a node; an error it reports is thrown as its own. */
async function sojournIn(lab: string, node: string, args: string[]): Promise<string> {
  const [program, ...prefix] = labNodePrefix(lab, node) as [string, ...string[]];
  const { exitCode, stdout, stderr } = await runCommand(program, [...prefix, "sojourn", ...args], {
    timeoutMs: 60_000,
    acceptExitCodes: [1, 2, 3, 4, 5, 6, 7, 8, 9],
  });
  if (exitCode === 0) return stdout;
  throw reportedError(stdout, `sojourn ${args.join(" ")} on ${node}: ${stderr.trim().slice(-600)}`);
}

function reportedError(stdout: string, otherwise: string): SojournError {
  try {
    const record = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    if (record.type === "error") return SojournError.fromRecord(record, 500);
  } catch (error) {
    return new SojournError("SOJ_LAB_COMMAND", otherwise, { cause: asSojournError(error) });
  }
  return new SojournError("SOJ_LAB_COMMAND", otherwise);
}
