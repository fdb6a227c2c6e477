import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What a process holds: descriptors by kind, and the programs of its children. */
export interface Resources {
  descriptors: Record<string, number>;
  children: string[];
  /** Descriptors of which there are more or fewer at any time, by kind. */
  varying: Record<string, number>;
}

/**
 * How many of the varying ones there may be: connections that two daemons keep with each other for a minute
 * (`maxSockets` in peer-client.ts, both ways), and netlink sockets: of routing, of its quick changes, of connection
 * tracking, and of the counters of nftables, each opened when first needed.
 */
export const mostVarying: Record<string, number> = { "tcp connection": 16, "netlink socket": 4 };

/** Where Node's inspector listens once a test has asked for it with SIGUSR1. */
const inspectorPort = 9229;

/** What the inspector's own thread holds (Node 24), besides its connections. */
const inspectorDescriptors: Record<string, number> = {
  "listening tcp socket": 1,
  "anon_inode:[eventpoll]": 1,
  "anon_inode:[io_uring]": 1,
  "anon_inode:[eventfd]": 1,
  pipe: 2,
  "/dev/null": 1,
};

/** A daemon's resources, without what the tests' own inspector has added. */
export function daemonResources(pid: number): Resources {
  const sockets = socketKinds(pid);
  const counts = new Map<string, number>();
  for (const target of descriptorTargets(pid)) {
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    const kind = inode === undefined ? kindOfFile(target) : (sockets.get(inode) ?? "other socket");
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  if (isInspected(pid)) {
    for (const [kind, count] of Object.entries(inspectorDescriptors)) {
      counts.set(kind, (counts.get(kind) ?? 0) - count);
    }
    counts.delete("inspector's connection");
  }
  const kinds = [...counts].filter(([, count]) => count !== 0).toSorted();
  const isVarying = ([kind]: [string, number]) => kind in mostVarying;
  return {
    descriptors: Object.fromEntries(kinds.filter((one) => !isVarying(one))),
    children: childrenOf(pid),
    varying: Object.fromEntries(kinds.filter(isVarying)),
  };
}

function descriptorTargets(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((number) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${number}`)];
    } catch {
      // Closed while being looked at.
      return [];
    }
  });
}

/** libuv keeps a descriptor to spare, which is of / once it was needed (`uv__emfile_trick`). */
function kindOfFile(target: string): string {
  if (target === "/") return "/dev/null";
  return target.startsWith("pipe:") ? "pipe" : target.replace(/ \(deleted\)$/, "");
}

/** Kind of each socket of the process's network namespace, by inode (proc(5), /proc/pid/net). */
function socketKinds(pid: number): Map<string, string> {
  const rows = (name: string) =>
    readFileSync(`/proc/${pid}/net/${name}`, "latin1")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/));
  const kinds = new Map<string, string>();
  for (const [, local, , state, , , , , , inode] of rows("tcp")) {
    if (inode !== undefined) kinds.set(inode, kindOfTcp(local ?? "", state ?? ""));
  }
  for (const [, , , flags, , , inode] of rows("unix")) {
    const isListening = (Number.parseInt(flags ?? "0", 16) & 0x10000) !== 0;
    if (inode !== undefined)
      kinds.set(inode, isListening ? "listening unix socket" : "unix connection");
  }
  for (const row of rows("netlink")) {
    const inode = row.at(-1);
    if (inode) kinds.set(inode, "netlink socket");
  }
  return kinds;
}

function kindOfTcp(local: string, state: string): string {
  if (state === "0A") return "listening tcp socket";
  const port = Number.parseInt(local.split(":")[1] ?? "", 16);
  return port === inspectorPort ? "inspector's connection" : "tcp connection";
}

function isInspected(pid: number): boolean {
  const port = inspectorPort.toString(16).toUpperCase();
  const tcp = readFileSync(`/proc/${pid}/net/tcp`, "latin1");
  return new RegExp(`: 0100007F:${port} \\S+ 0A `).test(tcp);
}

/** What tells a running daemon of the kernel's events. */
const listeners = /^\S*\/(ip .*monitor .*|tc monitor|nft monitor)$/;

/** Guests' processes belong to nobody but themselves, though the kernel still calls them children. */
function childrenOf(pid: number): string[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  const commands = list === "" ? [] : list.split(" ").map((child) => commandOf(child));
  return commands.filter((command) => command !== "" && !isExpected(command));
}

function isExpected(command: string): boolean {
  return command.includes("qemu-system-") || listeners.test(command);
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}
