import { connect } from "node:net";
import { join } from "node:path";
import { findTool, runCommand } from "../../platform/command.ts";
import { SojournError } from "../../platform/errors.ts";
import { isSameProcess, type ProcessIdentity } from "../../platform/process-identity.ts";
import { readRecord, tailOf } from "../files.ts";
import { installationRoot } from "../layout.ts";
import { holderOf, labNodePrefix } from "../nodes.ts";
import { startOutliving, untilReady } from "../outliving.ts";
import { writeLibvirtFiles } from "./files.ts";
import { libvirtPaths, libvirtSocket } from "./paths.ts";
import { virsh } from "./virsh.ts";

const readyWithinMs = 20_000;

/**
 * Makes sure that the host has a libvirtd of its own, which knows `hosts` hosts. One that runs goes on.
 * @throws SojournError `SOJ_LAB_LIBVIRTD_START`, `SOJ_TOOL_MISSING`.
 */
export async function ensureLibvirtd(lab: string, host: string, hosts: number): Promise<void> {
  writeLibvirtFiles(lab, host, hosts);
  if (findLibvirtd(lab, host) === null) await startLibvirtd(lab, host);
}

/** The libvirtd that the lab started on a host and that still runs, or null. */
export function findLibvirtd(lab: string, host: string): ProcessIdentity | null {
  const recorded = readRecord<ProcessIdentity>(libvirtPaths(lab, host).process);
  return recorded !== null && isSameProcess(recorded) ? recorded : null;
}

/**
 * Starts the host's libvirtd, outliving the caller, and waits until it takes connections. Domains that an earlier one
 * left running are its own again.
 * @throws SojournError `SOJ_LAB_LIBVIRTD_START` with the end of its log, `SOJ_TOOL_MISSING`.
 */
export async function startLibvirtd(lab: string, host: string): Promise<ProcessIdentity> {
  const paths = libvirtPaths(lab, host);
  const [program, ...prefix] = labNodePrefix(lab, host) as [string, ...string[]];
  const enter = join(installationRoot, "src", "lab", "libvirt", "enter.sh");
  await runCommand(program, [...prefix, findTool("sh"), enter, paths.folder, paths.state]);

  const identity = await startOutliving(lab, host, {
    command: [findTool("libvirtd"), "--listen"],
    ...{ log: paths.log, record: paths.process, env: { ...process.env, LC_ALL: "C" } },
  });
  await waitUntilReady(lab, host, identity);
  return identity;
}

/** Path of a host's libvirt socket from outside the lab. */
export function libvirtSocketOf(lab: string, host: string): string {
  return `/proc/${holderOf(lab, host).pid}/root${libvirtSocket}`;
}

async function waitUntilReady(lab: string, host: string, libvirtd: ProcessIdentity): Promise<void> {
  const failure = await untilReady(libvirtd, () => answers(lab, host), readyWithinMs);
  if (failure === null) return;
  const { log } = libvirtPaths(lab, host);
  const what =
    failure === "ended" ? "ended at once" : `took no connection within ${readyWithinMs} ms`;
  throw new SojournError(
    "SOJ_LAB_LIBVIRTD_START",
    `libvirtd of ${host} ${what}: ${tailOf(log) || "its log is empty"}`,
    { hint: `its log is ${log}` },
  );
}

/** It listens before it knows whether it can do anything. */
async function answers(lab: string, host: string): Promise<boolean> {
  if (!(await accepts(libvirtSocketOf(lab, host)))) return false;
  const { exitCode } = await virsh(lab, host, ["uri"], { acceptExitCodes: [1] });
  return exitCode === 0;
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
