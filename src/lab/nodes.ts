import { statSync } from "node:fs";
import { findTool } from "../platform/command.ts";
import { preconditionError } from "../platform/errors.ts";
import type { ProcessIdentity } from "../platform/process-identity.ts";
import { readRecord } from "./files.ts";
import { findHolder } from "./holder.ts";
import { checkLabName, defaultLabName, labPaths, nodeNames, type Topology } from "./layout.ts";

/** What `up` built, kept in the lab's folder. */
export interface LabRecord {
  lab: string;
  hosts: number;
  /** None where it is absent. */
  anchors?: number;
  /** The node that is home of the guests; the first host where it is absent. */
  guestHome?: string;
  /** Each host has a libvirtd, and the first guest is its domain. */
  libvirt?: boolean;
  /** Absent: routed. */
  topology?: Topology;
  /** What each host's link to the router carries each way; as much as the machine can where it is absent. */
  linkMbps?: number;
}

/** The lab meant by `--lab`, the environment or nothing. @throws SojournError `SOJ_BAD_NAME`. */
export function chosenLab(option?: string): string {
  return checkLabName(option ?? (process.env.SOJOURN_LAB || defaultLabName));
}

/** @throws SojournError `SOJ_LAB_NOT_UP`. */
export function readLab(lab: string): LabRecord {
  const record = readRecord<LabRecord>(labPaths(checkLabName(lab)).record);
  if (record !== null) return record;
  throw preconditionError("SOJ_LAB_NOT_UP", `the lab ${lab} is not up`, {
    hint: `build it with: sojourn lab up${lab === defaultLabName ? "" : ` --lab ${lab}`}`,
  });
}

/** Names of the nodes of a lab that is up. @throws SojournError `SOJ_LAB_NOT_UP`. */
export function nodesOfLab(lab: string): string[] {
  return nodeNames(readLab(lab));
}

/** @throws SojournError `SOJ_LAB_NOT_UP`, `SOJ_LAB_NODE_UNKNOWN`. */
export function checkNode(lab: string, node: string): string {
  const nodes = nodesOfLab(lab);
  if (nodes.includes(node)) return node;
  throw preconditionError(
    "SOJ_LAB_NODE_UNKNOWN",
    `the lab ${lab} has no node ${JSON.stringify(node.slice(0, 80))}`,
    { hint: `its nodes are ${nodes.join(", ")}` },
  );
}

/**
 * The process to enter a node through.
 * @throws SojournError `SOJ_LAB_NOT_UP`, `SOJ_LAB_NODE_UNKNOWN`, `SOJ_LAB_DAMAGED`.
 */
export function holderOf(lab: string, node: string): ProcessIdentity {
  const holder = findHolder(lab, checkNode(lab, node));
  if (holder !== null) return holder;
  throw preconditionError("SOJ_LAB_DAMAGED", `the node ${node} of the lab ${lab} is not running`, {
    hint: `sojourn lab up --lab ${lab} repairs it`,
  });
}

/**
 * Start of a command line that runs what follows it in a node (its network, its folders, `sojourn` on the
 * PATH), from the machine itself as well as from inside another node. Needs root.
 * @throws SojournError as `holderOf`.
 */
export function labNodePrefix(lab: string, node: string): string[] {
  const { pid } = holderOf(lab, node);
  return [
    findTool("nsenter"),
    `--mount=/proc/${pid}/ns/mnt`,
    `--uts=/proc/${pid}/ns/uts`,
    `--net=/proc/${pid}/ns/net`,
    "--",
    findTool("env"),
    `SOJOURN_LAB=${lab}`,
    `SOJOURN_LAB_NODE=${node}`,
    `PATH=${labPaths(lab).bin}:${pathWithout(labPaths(lab).bin)}`,
  ];
}

/** True when `folder` exists as the node sees it. */
export function nodeHasFolder(lab: string, node: string, folder: string): boolean {
  try {
    return statSync(`/proc/${holderOf(lab, node).pid}/root${folder}`).isDirectory();
  } catch {
    return false;
  }
}

function pathWithout(folder: string): string {
  const path = process.env.PATH ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return path
    .split(":")
    .filter((entry) => entry !== folder)
    .join(":");
}
