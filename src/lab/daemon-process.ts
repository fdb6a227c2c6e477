import { rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { SojournError, usageError } from "../platform/errors.ts";
import { isSameProcess, type ProcessIdentity } from "../platform/process-identity.ts";
import { readRecord, tailOf } from "./files.ts";
import { hostConfigPath } from "./host-files.ts";
import { labPaths } from "./layout.ts";
import { checkNode, holderOf } from "./nodes.ts";
import { startOutliving, untilReady } from "./outliving.ts";
import { sendSignal, waitUntilGone } from "./process-control.ts";

const readyWithinMs = 20_000;
const endWithinMs = 10_000;

/** The daemon that the lab started on a host and that still runs, or null. */
export function findDaemon(lab: string, host: string): ProcessIdentity | null {
  const recorded = readRecord<ProcessIdentity>(labPaths(lab).node(host).daemon);
  return recorded !== null && isSameProcess(recorded) ? recorded : null;
}

/**
 * Starts the host's daemon, outliving the caller, and waits until its local API answers.
 * @throws SojournError `SOJ_LAB_DAEMON_START` with the end of its log.
 */
export async function startDaemon(lab: string, host: string): Promise<ProcessIdentity> {
  const paths = labPaths(lab).node(host);
  const sojourn = join(labPaths(lab).bin, "sojourn");
  const identity = await startOutliving(lab, host, {
    command: [sojourn, "daemon", "--config", hostConfigPath],
    ...{ log: paths.daemonLog, record: paths.daemon },
  });
  await waitUntilReady(lab, host, identity);
  return identity;
}

/** SIGKILL to the host's daemon and to nothing else. Returns false when none was running. */
export async function killDaemon(lab: string, host: string): Promise<boolean> {
  const daemon = findDaemon(lab, checkHost(lab, host));
  if (daemon === null || !sendSignal(daemon, "SIGKILL")) return false;
  await waitUntilGone(daemon, endWithinMs);
  return true;
}

/** Ends the host's daemon if it runs (asked first, then killed) and starts it. */
export async function restartDaemon(lab: string, host: string): Promise<ProcessIdentity> {
  const daemon = findDaemon(lab, checkHost(lab, host));
  if (daemon !== null) {
    sendSignal(daemon, "SIGTERM");
    if (!(await waitUntilGone(daemon, endWithinMs))) await killDaemon(lab, host);
  }
  return startDaemon(lab, host);
}

/** @throws SojournError `SOJ_USAGE` for a node without a daemon, otherwise as `checkNode`. */
export function checkHost(lab: string, node: string): string {
  if (/^(host|anchor)-/.test(checkNode(lab, node))) return node;
  throw usageError(`${node} runs no daemon`, "only host-a, host-b, … do, and anchor-a, …");
}

async function waitUntilReady(lab: string, host: string, daemon: ProcessIdentity): Promise<void> {
  const isReady = () => answers(daemonSocket(lab, host));
  const failure = await untilReady(daemon, isReady, readyWithinMs);
  if (failure === null) return;
  const paths = labPaths(lab).node(host);
  if (failure === "ended") rmSync(paths.daemon, { force: true });
  const what = failure === "ended" ? "ended at once" : `did not answer within ${readyWithinMs} ms`;
  throw new SojournError(
    "SOJ_LAB_DAEMON_START",
    `the daemon of ${host} ${what}: ${tailOf(paths.daemonLog) || "its log is empty"}`,
    { hint: `its log is ${paths.daemonLog}` },
  );
}

/**
 * The path of a host's API from outside the lab: the host's /run is reached through its holder, and a socket's path
 * knows no network namespace.
 */
export function daemonSocket(lab: string, host: string): string {
  return `/proc/${holderOf(lab, host).pid}/root/run/sojourn/sojourn.sock`;
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    // Without an agent, which would keep the connection for seconds.
    const options = { socketPath, path: "/healthz", agent: false, timeout: 2_000 } as const;
    const asked = request(options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(false));
    asked.end();
  });
}
