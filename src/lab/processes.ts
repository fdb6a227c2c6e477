import { readdirSync, statSync } from "node:fs";
import { delay } from "../platform/clock.ts";
import type { ProcessIdentity } from "../platform/process-identity.ts";
import { readIfThere } from "./files.ts";
import { labMark } from "./layout.ts";
import { existingNamespaces, namespaceInode } from "./namespaces.ts";
import { identify, sendSignal, waitUntilGone } from "./process-control.ts";

export interface LabProcess extends ProcessIdentity {
  node: string;
}

/**
 * Every process that runs in a node of the lab: it is in the node's network namespace, or it sees a mount
 * that only exists in the node (so also where a namespace was made inside the node, or its name is gone).
 * The caller and its ancestors are never among them. `namespaces`: the nodes whose namespaces are the lab's.
 */
export function labProcesses(
  lab: string,
  namespaces: readonly string[] = existingNamespaces(lab),
): LabProcess[] {
  const nodeOfInode = new Map<number, string>();
  for (const node of namespaces) {
    const inode = namespaceInode(lab, node);
    if (inode !== null) nodeOfInode.set(inode, node);
  }
  const own = ancestors();
  const found: LabProcess[] = [];
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || own.has(pid)) continue;
    const node = nodeOfInode.get(networkNamespaceOf(pid) ?? -1) ?? nodeOfMounts(lab, pid);
    if (node === null) continue;
    try {
      found.push({ ...identify(pid), node });
    } catch {
      // Ended while being looked at.
    }
  }
  return found;
}

/** Kills what `find` returns until it finds nothing more. Returns how many were killed. */
export async function killProcesses(find: () => LabProcess[]): Promise<number> {
  const killed = new Set<string>();
  // A process may fork between being listed and being killed, so one look is not enough.
  for (let look = 0; look < 50; look++) {
    const living = find().filter((process) => sendSignal(process, "SIGKILL"));
    if (living.length === 0) break;
    for (const process of living) {
      killed.add(`${process.pid} ${process.startTicks}`);
      await waitUntilGone(process, 2_000);
    }
    if (look > 0) await delay(5);
  }
  return killed.size;
}

function networkNamespaceOf(pid: number): number | null {
  try {
    return statSync(`/proc/${pid}/ns/net`).ino;
  } catch {
    return null;
  }
}

/** mountinfo (proc_pid_mountinfo(5)): "… - tmpfs SOURCE OPTIONS", SOURCE as node-init.sh mounted it. */
function nodeOfMounts(lab: string, pid: number): string | null {
  const mounts = readIfThere(`/proc/${pid}/mountinfo`);
  if (mounts === null) return null;
  const start = ` - tmpfs ${labMark(lab)}:`;
  const at = mounts.indexOf(start);
  if (at < 0) return null;
  return mounts.slice(at + start.length, mounts.indexOf(" ", at + start.length));
}

function ancestors(): Set<number> {
  const pids = new Set<number>();
  for (let pid = process.pid; pid > 1 && !pids.has(pid); ) {
    pids.add(pid);
    const parent = /^PPid:\s+(\d+)$/m.exec(readIfThere(`/proc/${pid}/status`) ?? "")?.[1];
    pid = Number(parent ?? 0);
  }
  return pids;
}
