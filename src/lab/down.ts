import { existsSync } from "node:fs";
import { SojournError } from "../platform/errors.ts";
import { leaveMachine } from "./footprint.ts";
import { checkLabName, labPaths, namespaceName } from "./layout.ts";
import { lockLab } from "./lock.ts";
import { carriesMark, deleteNamespace, existingNamespaces } from "./namespaces.ts";
import { killProcesses, labProcesses } from "./processes.ts";
import { refuseUnlessOutside } from "./requirements.ts";

export interface DownSummary {
  lab: string;
  /** False when there was nothing to remove. */
  wasUp: boolean;
  processes: number;
  namespaces: number;
}

/**
 * Removes everything of a lab: its processes, namespaces (and with them links and mounts) and files. Works
 * from what is really there, so also after a crash of any part, and does nothing when there is nothing.
 * @throws SojournError `SOJ_NOT_ROOT`, `SOJ_LAB_BUSY`, `SOJ_LAB_LEFTOVERS`.
 */
export async function downLab(labName: string): Promise<DownSummary> {
  const lab = checkLabName(labName);
  refuseUnlessOutside();
  // An interrupted `up` may need a moment to let go.
  await using _lock = await lockLab(lab, 5_000);
  const { state, disks } = labPaths(lab);
  const hasFolder = existsSync(state) || existsSync(disks);
  const namespaces = await ownNamespaces(lab);

  const processes = await killProcesses(() => labProcesses(lab, namespaces));
  for (const node of namespaces) await deleteNamespace(lab, node);
  await leaveMachine(lab);
  refuseLeftovers(lab, namespaces);
  return {
    lab,
    wasUp: hasFolder || namespaces.length > 0,
    processes,
    namespaces: namespaces.length,
  };
}

/** Only a namespace's own mark tells that it is ours. */
async function ownNamespaces(lab: string): Promise<string[]> {
  const existing = existingNamespaces(lab);
  const marked: string[] = [];
  for (const node of existing) if (await carriesMark(lab, node)) marked.push(node);
  return marked;
}

function refuseLeftovers(lab: string, removed: string[]): void {
  const namespaces = existingNamespaces(lab).filter((node) => removed.includes(node));
  const processes = labProcesses(lab, []);
  if (namespaces.length === 0 && processes.length === 0) return;
  const left = [
    ...namespaces.map((node) => `namespace ${namespaceName(lab, node)}`),
    ...processes.map(({ pid, node }) => `process ${pid} in ${node}`),
  ];
  throw new SojournError(
    "SOJ_LAB_LEFTOVERS",
    `the lab ${lab} was not removed: ${left.join(", ")}`,
    {
      hint: "run sojourn lab down again",
      retryable: true,
    },
  );
}
