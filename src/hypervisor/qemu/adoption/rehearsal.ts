import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { delay, monotonicMs } from "../../../platform/clock.ts";
import { preconditionError } from "../../../platform/errors.ts";
import { namesIn } from "../../../platform/files.ts";
import type { Logger } from "../../../platform/log.ts";
import { findProcessByArgument, identifyProcess } from "../../../platform/process-identity.ts";
import type { GuestDefinition } from "../../definition.ts";
import { chooseAccelerator } from "../accelerator.ts";
import { sandbox } from "../arguments.ts";
import { escaped } from "../command-line/option-list.ts";
import { rehearsalArguments } from "../command-line/rehearsal-arguments.ts";
import { newInstanceId } from "../instance-paths.ts";
import { launchQemu, logTail } from "../launch.ts";
import type { QemuFacts } from "../qemu-facts.ts";
import { QemuProcess } from "../qemu-process.ts";
import { QmpConnection } from "../qmp/connection.ts";
import { type DeviceTree, readDeviceTree } from "./device-tree.ts";

const startMs = 15_000;

export interface RehearsalOptions {
  /** Folder for its files while it lasts. */
  runDir: string;
  logger: Logger;
  facts: QemuFacts;
}

/**
 * Starts the guest's machine as a destination would, empty and stopped, on no tap and with no lock on its images (QEMU
 * takes those when a guest arrives), reads its devices, and ends it.
 * @throws SojournError `SOJ_REHEARSAL_FAILED` with QEMU's own words; what `chooseAccelerator` throws
 */
export async function rehearse(
  definition: GuestDefinition,
  options: RehearsalOptions,
): Promise<DeviceTree> {
  const { binary, kvm, version } = options.facts;
  chooseAccelerator(definition.accelerator, kvm, version);
  const folder = join(rehearsalsFolder(options.runDir), newInstanceId());
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const log = join(folder, "log");
  try {
    const child = await launchQemu(binary, argumentsFor(definition, folder), log);
    const pid = child.pid ?? 0;
    const process = new QemuProcess(identifyProcess(pid) ?? { pid, startTicks: 0 }, child);
    try {
      const connection = await connect(join(folder, "qmp"), process, options.logger);
      try {
        return await readDeviceTree((command, args) => connection.execute(command, args));
      } finally {
        connection.close();
      }
    } catch (cause) {
      throw failed(definition.name, await logTail(log), cause);
    } finally {
      await process.kill();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Ends what a daemon that died has left of rehearsals. */
export async function endLeftRehearsals(runDir: string): Promise<void> {
  const folder = rehearsalsFolder(runDir);
  for (const name of namesIn(folder)) {
    const found = findProcessByArgument(join(folder, name, "pid"));
    if (found !== null) await new QemuProcess(found).kill();
  }
  await rm(folder, { recursive: true, force: true });
}

function argumentsFor(definition: GuestDefinition, folder: string): string[] {
  const monitor = `socket,id=rehearsal,path=${escaped(join(folder, "qmp"))},server=on,wait=off`;
  return [
    ...["-no-user-config", "-display", "none", "-S", "-name", `guest=${definition.name}`],
    ...["-chardev", monitor, "-mon", "chardev=rehearsal,mode=control"],
    ...["-pidfile", join(folder, "pid")],
    ...rehearsalArguments(definition.qemu_arguments ?? []),
    ...sandbox,
    ...["-incoming", "defer"],
  ];
}

async function connect(path: string, process: QemuProcess, logger: Logger): Promise<QmpConnection> {
  const deadlineMs = monotonicMs() + startMs;
  for (;;) {
    try {
      const timeoutMs = Math.max(1, deadlineMs - monotonicMs());
      return await QmpConnection.open(path, { logger, onEvent: () => {}, timeoutMs });
    } catch (error) {
      if (!process.isAlive() || monotonicMs() >= deadlineMs) throw error;
    }
    await Promise.race([delay(20), process.ended]);
  }
}

function rehearsalsFolder(runDir: string): string {
  return join(runDir, "rehearsals");
}

function failed(guest: string, said: string, cause: unknown) {
  return preconditionError(
    "SOJ_REHEARSAL_FAILED",
    `${guest}'s machine cannot be made here: ${said}`,
    {
      cause,
      guestState: "untouched",
      hint: "what QEMU names must be there as it is where the guest runs",
    },
  );
}
