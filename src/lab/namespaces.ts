import { existsSync, statSync } from "node:fs";
import { runCommand } from "../platform/command.ts";
import { preconditionError } from "../platform/errors.ts";
import { labMark, namespaceName, possibleNodes } from "./layout.ts";

/** File through which iproute2 keeps the node's network namespace. */
export function namespacePath(lab: string, node: string): string {
  return `/run/netns/${namespaceName(lab, node)}`;
}

/** Makes the node's network namespace unless it is there. */
export async function ensureNamespace(lab: string, node: string): Promise<void> {
  const name = namespaceName(lab, node);
  if (!existsSync(namespacePath(lab, node))) await runCommand("ip", ["netns", "add", name]);
  await runCommand("ip", ["-n", name, "link", "set", "lo", "up", "alias", labMark(lab)]);
}

/** Those of the lab's possible namespaces that exist. */
export function existingNamespaces(lab: string): string[] {
  return possibleNodes.filter((node) => existsSync(namespacePath(lab, node)));
}

/**
 * A namespace with one of our names but without our mark belongs to somebody else.
 * @throws SojournError `SOJ_LAB_NAME_TAKEN`.
 */
export async function refuseForeignNamespaces(lab: string): Promise<void> {
  for (const node of existingNamespaces(lab)) {
    if (await carriesMark(lab, node)) continue;
    throw preconditionError(
      "SOJ_LAB_NAME_TAKEN",
      `the network namespace ${namespaceName(lab, node)} exists and is not a lab's; nothing was changed`,
      { hint: "choose another name with --lab" },
    );
  }
}

export async function carriesMark(lab: string, node: string): Promise<boolean> {
  const name = namespaceName(lab, node);
  const { exitCode, stdout } = await runCommand("ip", ["-n", name, "-j", "link", "show", "lo"], {
    acceptExitCodes: [1, 255],
  });
  if (exitCode !== 0) return false;
  const links = JSON.parse(stdout) as { ifalias?: string }[];
  return links[0]?.ifalias === labMark(lab);
}

/** Removes the node's namespace with all links in it; nothing happens when it is not there. */
export async function deleteNamespace(lab: string, node: string): Promise<void> {
  if (!existsSync(namespacePath(lab, node))) return;
  await runCommand("ip", ["netns", "del", namespaceName(lab, node)], { acceptExitCodes: [1] });
}

/** The number by which /proc names the namespace, or null when it is not mounted. */
export function namespaceInode(lab: string, node: string): number | null {
  try {
    return statSync(namespacePath(lab, node)).ino;
  } catch {
    return null;
  }
}
