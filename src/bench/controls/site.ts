import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type GuestDefinition, guestUuid } from "../../hypervisor/definition.ts";
import { readRecord, writeFileAtomically } from "../../lab/files.ts";
import { labPaths } from "../../lab/layout.ts";
import { labNodePrefix } from "../../lab/nodes.ts";
import { identify } from "../../lab/process-control.ts";
import { killProcesses, labProcesses } from "../../lab/processes.ts";
import { preconditionError } from "../../platform/errors.ts";
import {
  hasArgument,
  isSameProcess,
  type ProcessIdentity,
} from "../../platform/process-identity.ts";
import type { ControlGuest } from "./guest.ts";
import { makeSwitch, removeSwitch, tapName } from "./switch.ts";

/** Where the guest's processes run: the switch, and the folder for their sockets and logs. */
export interface Site extends AsyncDisposable {
  readonly definition: GuestDefinition;
  readonly runDir: string;
  readonly tapName: string;
  /** Start of a command line that runs in the host. */
  prefixOf(host: string): string[];
}

/**
 * Makes the switch and the folder; what an earlier owner that was killed has left is removed before. Disposing
 * removes them and every process of the guest.
 * @throws SojournError `SOJ_BENCH_BUSY` while another process measures controls in this lab.
 */
export async function siteOf(guest: ControlGuest): Promise<Site> {
  const { lab, definition } = guest;
  // Within the lab's folder, which its nodes see and its removal takes along.
  const runDir = join(labPaths(lab).state, "controls");
  const ownerPath = join(runDir, "owner.json");
  const owner = readRecord<ProcessIdentity>(ownerPath);
  if (owner !== null && isSameProcess(owner)) {
    throw preconditionError(
      "SOJ_BENCH_BUSY",
      `process ${owner.pid} measures the controls in the lab ${lab}; nothing was changed`,
      { hint: "wait for it, or use another lab", retryable: true },
    );
  }
  const clear = () => clearSite(guest, runDir);
  await clear();
  await using making = new AsyncDisposableStack();
  making.defer(clear);
  mkdirSync(runDir, { mode: 0o700 });
  writeFileAtomically(ownerPath, JSON.stringify(identify(process.pid)));
  await makeSwitch(guest);
  const made = making.move();
  return {
    definition,
    runDir,
    tapName,
    prefixOf: (host) => labNodePrefix(lab, host),
    [Symbol.asyncDispose]: () => made.disposeAsync(),
  };
}

/** Goes by what is there, so it is right at every stage, and when there is nothing. */
async function clearSite(guest: ControlGuest, runDir: string): Promise<void> {
  const uuid = guestUuid(guest.definition);
  await killProcesses(() => labProcesses(guest.lab).filter(({ pid }) => hasArgument(pid, uuid)));
  await removeSwitch(guest);
  rmSync(runDir, { recursive: true, force: true });
}
