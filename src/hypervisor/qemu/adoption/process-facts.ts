import { open, readdir, readFile, readlink, stat } from "node:fs/promises";
import { basename } from "node:path";
import { preconditionError } from "../../../platform/errors.ts";
import {
  commandLineDigest,
  identifyProcess,
  type ProcessIdentity,
} from "../../../platform/process-identity.ts";
import { argumentsFromBytes, longestCommandLineBytes } from "../command-line/command-line.ts";
import { isSocketAt, type ListeningSocket, readListeningSockets } from "./unix-sockets.ts";

/** A process as proc(5) tells of it. */
export interface ProcessFacts {
  identity: ProcessIdentity;
  /** Without the program's name. */
  arguments: string[];
  /** Of the whole command line: tells a later process with the same number apart, also across a reboot. */
  commandLineDigest: string;
  program: string;
  /** Where relative paths of its command line begin. */
  folder: string;
  /** Where relative paths begin for it now. */
  currentFolder: string;
  effectiveUserId: number;
  /** Taps that it holds open. */
  taps: string[];
  /** Unix sockets that it listens on. */
  sockets: ListeningSocket[];
  /** Of root folder, mounts and network: which of them are not this process's own. */
  foreign: string[];
}

/** @throws SojournError `SOJ_PROCESS_UNKNOWN` (404), `SOJ_COMMAND_LINE`. */
export async function readProcess(pid: number): Promise<ProcessFacts> {
  const identity = identifyProcess(pid);
  if (identity === null) throw unknownProcess(pid);
  try {
    const bytes = await readBounded(`/proc/${pid}/cmdline`);
    const [, ...args] = argumentsFromBytes(bytes);
    const descriptors = await readDescriptors(pid);
    return {
      identity,
      arguments: args,
      commandLineDigest: commandLineDigest(pid) ?? "",
      program: basename((await readlink(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, "")),
      folder: await startFolder(pid, args),
      currentFolder: await readlink(`/proc/${pid}/cwd`),
      effectiveUserId: await effectiveUserId(pid),
      taps: await tapsOf(pid, descriptors),
      sockets: await socketsOf(descriptors),
      foreign: await foreignParts(pid),
    };
  } catch (error) {
    throw unreadable(pid, error as NodeJS.ErrnoException);
  }
}

/**
 * The process that listens on a unix socket of this network namespace.
 * @throws SojournError `SOJ_MONITOR_UNREACHABLE` when there is none, or more than one.
 */
export async function listenerOf(path: string): Promise<number> {
  const socket = (await readListeningSockets()).find((one) => isSocketAt(path, one));
  const owners: number[] = [];
  for (const entry of socket === undefined ? [] : await readdir("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const held = await readDescriptors(pid).catch(() => new Map<string, string>());
    if ([...held.values()].includes(`socket:[${socket?.inode}]`)) owners.push(pid);
  }
  const [owner] = owners;
  if (owner !== undefined && owners.length === 1) return owner;
  const who = owners.length === 0 ? "no process listens" : `processes ${owners.join(", ")} listen`;
  throw preconditionError("SOJ_MONITOR_UNREACHABLE", `${who} on ${path}`, {
    guestState: "untouched",
    hint:
      owner === undefined ? "is it the socket of -qmp, and does QEMU run?" : "name one: --pid PID",
  });
}

/** Whether the process listens on the socket of that path. */
export async function listensOn(pid: number, path: string): Promise<boolean> {
  const sockets = await socketsOf(await readDescriptors(pid));
  return sockets.some((socket) => isSocketAt(path, socket));
}

async function socketsOf(descriptors: ReadonlyMap<string, string>): Promise<ListeningSocket[]> {
  const own = new Set(descriptors.values());
  return (await readListeningSockets()).filter(({ inode }) => own.has(`socket:[${inode}]`));
}

/**
 * The folder that relative paths on its command line were meant from. One that has made itself a daemon has gone to `/`
 * since; its environment tells where the shell was that started it.
 */
async function startFolder(pid: number, args: readonly string[]): Promise<string> {
  const folder = await readlink(`/proc/${pid}/cwd`);
  if (folder !== "/" || !args.some((word) => /^--?daemonize$/.test(word))) return folder;
  const environment = (await readBounded(`/proc/${pid}/environ`)).toString("utf8").split("\0");
  const shell = environment.find((entry) => entry.startsWith("PWD="))?.slice("PWD=".length);
  return shell?.startsWith("/") ? shell : folder;
}

async function tapsOf(pid: number, descriptors: ReadonlyMap<string, string>): Promise<string[]> {
  const taps = new Set<string>();
  for (const [descriptor, target] of descriptors) {
    if (target !== "/dev/net/tun") continue;
    const info = await readFile(`/proc/${pid}/fdinfo/${descriptor}`, "latin1");
    const name = /^iff:\s*(\S+)$/m.exec(info)?.[1];
    if (name !== undefined) taps.add(name);
  }
  return [...taps];
}

/** What each descriptor of the process stands for. */
async function readDescriptors(pid: number): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const descriptor of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => null);
    if (target !== null) found.set(descriptor, target);
  }
  return found;
}

async function foreignParts(pid: number): Promise<string[]> {
  const parts = { "root folder": "root", mounts: "ns/mnt", network: "ns/net" };
  const foreign: string[] = [];
  for (const [name, path] of Object.entries(parts)) {
    const [theirs, ours] = await Promise.all(
      [pid, "self"].map((process) => stat(`/proc/${process}/${path}`)),
    );
    if (theirs?.ino !== ours?.ino || theirs?.dev !== ours?.dev) foreign.push(name);
  }
  return foreign;
}

async function effectiveUserId(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "latin1");
  return Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1] ?? -1);
}

async function readBounded(path: string): Promise<Buffer> {
  await using file = await open(path, "r");
  const chunks: Buffer[] = [];
  for (let size = 0; size <= longestCommandLineBytes; ) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(65_536), 0, 65_536, null);
    if (bytesRead === 0) break;
    chunks.push(buffer.subarray(0, bytesRead));
    size += bytesRead;
  }
  return Buffer.concat(chunks);
}

function unreadable(pid: number, error: NodeJS.ErrnoException): Error {
  if (error.code === "ENOENT" || error.code === "ESRCH") return unknownProcess(pid);
  if (error.code !== "EACCES" && error.code !== "EPERM") return error;
  return preconditionError(
    "SOJ_PROCESS_UNKNOWN",
    `process ${pid} may not be looked at by this daemon (${error.code})`,
    { cause: error, hint: "the daemon runs as root, in the namespaces of the guests' processes" },
  );
}

function unknownProcess(pid: number) {
  return preconditionError("SOJ_PROCESS_UNKNOWN", `there is no process ${pid}`, {
    httpStatus: 404,
    hint: "pgrep -a qemu",
  });
}
