import { statSync } from "node:fs";
import { resolve } from "node:path";
import { usageError } from "../../../platform/errors.ts";
import type { Logger } from "../../../platform/log.ts";
import { type CarriedCommandLine, carryCommandLine } from "../command-line/carry.ts";
import { parseCommandLine } from "../command-line/command-line.ts";
import { inspectMonitor, type MonitorFacts, type UsedImage } from "./inspect.ts";
import { monitorSockets, openFreeMonitor } from "./monitor.ts";
import { listenerOf, type ProcessFacts, readProcess } from "./process-facts.ts";

/** Which process is meant: one of the two, or both. */
export interface AdoptionTarget {
  pid?: number | undefined;
  /** Absolute path of its QMP socket. */
  socket?: string | undefined;
}

/** Everything that is known of a running QEMU. */
export interface ExaminedQemu {
  process: ProcessFacts;
  monitor: MonitorFacts;
  /** The monitor that was free. */
  socket: string;
  carried: CarriedCommandLine;
}

/**
 * Looks at a running QEMU without changing anything; its monitor is free again when this returns.
 * @throws SojournError `SOJ_USAGE`, `SOJ_PROCESS_UNKNOWN`, `SOJ_COMMAND_LINE`, `SOJ_MONITOR_BUSY`,
 *   `SOJ_MONITOR_UNREACHABLE`
 */
export async function examineQemu(target: AdoptionTarget, logger: Logger): Promise<ExaminedQemu> {
  const { socket } = target;
  const pid = target.pid ?? (socket === undefined ? null : await listenerOf(socket));
  if (pid === null) throw usageError("neither a process nor its QMP socket is named");
  const process = await readProcess(pid);
  const options = parseCommandLine(process.arguments);
  const named = monitorSockets(options).map((path) => resolve(process.folder, path));
  // A socket that QEMU was given as a descriptor has its path in the kernel's table only.
  const usual = named.length > 0 ? named : process.sockets.map(({ path }) => path);
  const connection = await openFreeMonitor(socket === undefined ? usual : [socket], logger);
  try {
    const told = await inspectMonitor((command, args) => connection.execute(command, args));
    const monitor = { ...told, images: told.images.map((image) => placed(image, process)) };
    const carried = carryCommandLine(process.arguments, {
      folder: process.folder,
      machine: monitor.machine,
      accelerator: monitor.accelerator,
      look,
    });
    return { process, monitor, socket: connection.path, carried };
  } finally {
    connection.close();
  }
}

/** QEMU tells an image's path as it was given. */
function placed(image: UsedImage, { folder, currentFolder }: ProcessFacts): UsedImage {
  const whole = resolve(folder, image.file);
  if (look(whole) !== "file") return image;
  const isLost = look(resolve(currentFolder, image.file)) === null;
  return { ...image, file: whole, isLost };
}

function look(path: string): "folder" | "file" | null {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return null;
  return status.isDirectory() ? "folder" : "file";
}
