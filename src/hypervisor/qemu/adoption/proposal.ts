import { relative } from "node:path";
import { type GuestDefinition, guestDefinitionFromJson } from "../../definition.ts";
import type { ExaminedQemu } from "./examine.ts";
import { isSocketAt } from "./unix-sockets.ts";

export interface ProposedNic {
  mac: string;
  /** ADDRESS/LENGTH. */
  addresses: string[];
  gateway: string;
}

/**
 * The definition under which an examined QEMU becomes a guest: its own command line carries the machine, the other keys
 * describe it. Pure.
 * @throws SojournError `SOJ_GUEST_DEFINITION_INVALID` for what no definition can hold.
 */
export function proposeDefinition(
  name: string,
  { monitor, carried }: ExaminedQemu,
  nic: ProposedNic,
): GuestDefinition {
  return guestDefinitionFromJson({
    name,
    uuid: monitor.uuid,
    memory_mib: monitor.memoryMib,
    vcpus: monitor.vcpus,
    machine: monitor.machine,
    accelerator: monitor.accelerator,
    ...(carried.kernel === null ? {} : { kernel: carried.kernel }),
    ...(carried.kernel === null || carried.initrd === null ? {} : { initrd: carried.initrd }),
    disks: disksOf(monitor.images),
    nics: [nic],
    qemu_arguments: carried.arguments,
  });
}

/** Reasons why an examined QEMU cannot become a guest, whatever the other hosts have; none when it can. */
export function adoptionRefusals({ process, monitor, socket, carried }: ExaminedQemu): string[] {
  const refusals = [...carried.refusals];
  if (monitor.target !== "x86_64")
    refusals.push(`its processors are ${monitor.target}, not x86_64`);
  for (const part of process.foreign) refusals.push(`its ${part} is not the daemon's`);
  if (!["running", "paused"].includes(monitor.runState)) {
    refusals.push(`its guest is ${monitor.runState}, neither running nor paused`);
  }
  for (const job of monitor.jobs) refusals.push(`a job of the block layer is under way: ${job}`);
  for (const blocker of monitor.blockers) refusals.push(`QEMU says: ${blocker}`);
  if (!["none", "completed", "cancelled", "failed"].includes(monitor.migration)) {
    refusals.push(`somebody is migrating it: ${monitor.migration}`);
  }
  for (const capability of monitor.capabilities.filter((name) => !ownCapabilities.has(name))) {
    refusals.push(
      `the migration capability ${capability} is set, which a destination would not expect: unset it (QMP migrate-set-capabilities)`,
    );
  }
  if (process.taps.length !== 1) {
    const held = process.taps.join(", ") || "none";
    refusals.push(`it holds ${process.taps.length} taps (${held}): a guest moves with exactly one`);
  }
  for (const { file, isLost } of monitor.images) {
    if (isLost) {
      refusals.push(
        `its image ${file} was named by a path of a folder that the process has left (-daemonize): QEMU cannot open it again, as it must when a guest leaves`,
      );
    }
    if (!isNamed(file, process.arguments, process.folder)) {
      refusals.push(`it uses the image ${file}, which its command line does not name`);
    }
  }
  if (!process.sockets.some((one) => isSocketAt(socket, one))) {
    refusals.push(
      `the monitor ${socket} is not one that process ${process.identity.pid} listens on`,
    );
  }
  return refusals;
}

/** Those that Sojourn sets itself, and one that only slows the guest down. */
const ownCapabilities = new Set([
  ...["auto-converge", "events", "late-block-activate", "pause-before-switchover"],
  ...["return-path", "switchover-ack", "validate-uuid"],
]);

/** An image that was changed, or put over another, since the start would be missing in another process. */
function isNamed(file: string, args: readonly string[], folder: string): boolean {
  if (!file.startsWith("/")) return true;
  const names = [file, relative(folder, file)];
  return args.some((word) => {
    const plain = word.replaceAll(",,", ",");
    return names.some((name) => plain.includes(name));
  });
}

function disksOf(images: ExaminedQemu["monitor"]["images"]) {
  return images.flatMap(({ file, format, readOnly }) =>
    file.startsWith("/") && (format === "raw" || format === "qcow2")
      ? [{ path: file, format, read_only: readOnly }]
      : [],
  );
}
