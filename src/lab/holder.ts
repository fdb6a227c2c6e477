import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { findTool } from "../platform/command.ts";
import { SojournError } from "../platform/errors.ts";
import { isSameProcess, type ProcessIdentity } from "../platform/process-identity.ts";
import { readRecord, tailOf, writeFileAtomically } from "./files.ts";
import { installationRoot, labPaths } from "./layout.ts";
import { namespaceInode, namespacePath } from "./namespaces.ts";
import { identify } from "./process-control.ts";
import { killProcesses, labProcesses } from "./processes.ts";

/**
 * Makes sure that the node's holder runs: the process that carries its mount and UTS namespaces and through
 * which others enter. Returns true when it had to be started.
 * @throws SojournError `SOJ_LAB_NODE_START` with what its set-up said.
 */
export async function ensureHolder(lab: string, node: string): Promise<boolean> {
  if (findHolder(lab, node) !== null) return false;
  // Whatever still runs in the node has lost the folders that a new holder would bring.
  await killProcesses(() => labProcesses(lab).filter((found) => found.node === node));
  await startHolder(lab, node);
  return true;
}

/** The running holder of a node, or null. */
export function findHolder(lab: string, node: string): ProcessIdentity | null {
  const recorded = readRecord<ProcessIdentity>(labPaths(lab).node(node).holder);
  if (recorded === null || !isSameProcess(recorded)) return null;
  return isInNamespace(recorded, lab, node) ? recorded : null;
}

async function startHolder(lab: string, node: string): Promise<void> {
  const paths = labPaths(lab);
  const own = paths.node(node);
  for (const folder of [own.etc, own.disk, join(own.folder, "run")]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  const inNamespaces = [
    `--net=${namespacePath(lab, node)}`,
    findTool("unshare"),
    "--mount",
    "--uts",
    "--propagation=private",
    "--",
  ];
  const init = join(installationRoot, "src", "lab", "node-init.sh");
  const log = openSync(own.initLog, "w", 0o600);
  const child = spawn(
    findTool("nsenter"),
    [...inNamespaces, findTool("sh"), init, lab, node, paths.state, own.etc, own.disk],
    {
      cwd: "/",
      detached: true,
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
      stdio: ["ignore", "pipe", log],
    },
  );
  closeSync(log);
  const output = child.stdout as Readable;
  const lines = createInterface({ input: output });
  const outcome = await Promise.race([
    once(lines, "line").then(([line]) => String(line)),
    once(child, "exit").then(([code, signal]) => `ended with ${code ?? signal}`),
    once(child, "error").then(([error]) => String(error)),
  ]);
  if (outcome !== "ready" || child.pid === undefined) {
    throw new SojournError(
      "SOJ_LAB_NODE_START",
      `the lab's node ${node} could not be set up: ${tailOf(own.initLog) || outcome}`,
      { hint: `remove what is there with: sojourn lab down --lab ${lab}` },
    );
  }
  writeFileAtomically(own.holder, JSON.stringify(identify(child.pid)));
  output.destroy();
  child.unref();
}

function isInNamespace(holder: ProcessIdentity, lab: string, node: string): boolean {
  const expected = namespaceInode(lab, node);
  // Inside a node the machine's /run/netns is hidden; the record has to do.
  if (expected === null) return process.env.SOJOURN_LAB_NODE !== undefined;
  try {
    return statSync(`/proc/${holder.pid}/ns/net`).ino === expected;
  } catch {
    return false;
  }
}
