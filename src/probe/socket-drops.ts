import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const tables = ["raw", "icmp", "raw6", "icmp6"];

/**
 * How many packets the kernel has dropped because the receive buffers of a process's ICMP sockets were full
 * (proc_net(5), column `drops`); null where that cannot be read.
 */
export function droppedAtSockets(pid: number): number | null {
  try {
    const inodes = socketInodes(pid);
    return tables
      .map((table) => dropsIn(readTable(pid, table), inodes))
      .reduce((sum, drops) => sum + drops, 0);
  } catch {
    return null;
  }
}

/** Sum of `drops` over the rows of those sockets in a table such as `/proc/net/raw`. */
export function dropsIn(table: string, inodes: ReadonlySet<string>): number {
  let sum = 0;
  for (const line of table.split("\n").slice(1)) {
    const cells = line.trim().split(/\s+/);
    const [inode = "", drops = ""] = [cells[9], cells.at(-1)];
    if (inodes.has(inode) && /^\d{1,10}$/.test(drops)) sum += Number(drops);
  }
  return sum;
}

function socketInodes(pid: number): Set<string> {
  const folder = `/proc/${pid}/fd`;
  const links = readdirSync(folder).map((name) => readlinkSync(`${folder}/${name}`));
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

/** A kernel without IPv6 has no table for it. */
function readTable(pid: number, table: string): string {
  try {
    return readFileSync(`/proc/${pid}/net/${table}`, "latin1");
  } catch {
    return "";
  }
}
