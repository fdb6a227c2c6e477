import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../platform/command.ts";
import { writeFileAtomically } from "./files.ts";
import { labDisksFolder, labPaths, labsFolder } from "./layout.ts";
import { libvirtMountPoints } from "./libvirt/paths.ts";
import { lockMachine } from "./lock.ts";

/** Mount points that every host covers with its own; they have to exist on the machine itself. */
const mountPoints = ["/etc/sojourn", "/var/lib/sojourn"];
const namespaceFolder = "/run/netns";
const recordPath = join(labsFolder, "machine.json");

/** What the first lab made on the machine and the last one has to take away. */
interface Footprint {
  createdFolders: string[];
  /** iproute2 mounts this folder at the first `ip netns add` and never takes it away. */
  namespaceFolderWasMounted: boolean;
}

/**
 * Makes the folders of a lab and records, before, what the machine did not have yet. `more`: further mount points that
 * the lab's hosts cover with their own folders.
 */
export async function enterMachine(lab: string, more: readonly string[] = []): Promise<void> {
  await using _lock = await lockMachine();
  mkdirSync(labsFolder, { recursive: true, mode: 0o755 });
  const needed = [...mountPoints, ...more];
  const isFirst = !existsSync(recordPath);
  const before = readFootprint();
  const missing = needed.filter((path) => !existsSync(path));
  const footprint: Footprint = {
    createdFolders: [...new Set([...before.createdFolders, ...missing])],
    namespaceFolderWasMounted: isFirst
      ? isMounted(namespaceFolder)
      : before.namespaceFolderWasMounted,
  };
  if (isFirst || missing.length > 0) writeFileAtomically(recordPath, JSON.stringify(footprint));
  for (const path of needed) mkdirSync(path, { recursive: true, mode: 0o755 });
  const paths = labPaths(lab);
  mkdirSync(paths.state, { recursive: true, mode: 0o755 });
  mkdirSync(paths.disks, { recursive: true, mode: 0o755 });
}

/** Removes the lab's folders and, after the last lab, everything else that labs brought to the machine. */
export async function leaveMachine(lab: string): Promise<void> {
  await using _lock = await lockMachine();
  const paths = labPaths(lab);
  rmSync(paths.state, { recursive: true, force: true });
  rmSync(paths.disks, { recursive: true, force: true });
  removeIfEmpty(labDisksFolder);
  if (!existsSync(labsFolder) || otherLabs().length > 0) return;

  const footprint = readFootprint();
  // Their folders are mount points of other labs, so they may only go with the last one.
  for (const path of footprint.createdFolders) {
    if ([...mountPoints, ...libvirtMountPoints].includes(path)) removeIfEmpty(path);
  }
  if (!footprint.namespaceFolderWasMounted) await unmountNamespaceFolder();
  rmSync(recordPath, { force: true });
  removeIfEmpty(labsFolder);
}

function otherLabs(): string[] {
  return readdirSync(labsFolder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

function readFootprint(): Footprint {
  try {
    return JSON.parse(readFileSync(recordPath, "utf8")) as Footprint;
  } catch {
    return { createdFolders: [], namespaceFolderWasMounted: true };
  }
}

async function unmountNamespaceFolder(): Promise<void> {
  // With shared propagation the kernel stacks the mount, so one call may not be enough.
  for (let layer = 0; layer < 4 && isMounted(namespaceFolder); layer++) {
    if (readdirSync(namespaceFolder).length > 0) return;
    await runCommand("umount", [namespaceFolder], { acceptExitCodes: [1, 16, 32] });
  }
  removeIfEmpty(namespaceFolder);
}

function isMounted(path: string): boolean {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .some((line) => line.split(" ")[4] === path);
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Not there, or in use by somebody else: then it is not ours to remove.
  }
}
