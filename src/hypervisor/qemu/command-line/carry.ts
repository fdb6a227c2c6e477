import { characterDevice, port } from "./carry-consoles.ts";
import { device, namedObject } from "./carry-devices.ts";
import { acceleratorChoice, isAcceleratorNamed, machineType } from "./carry-machine.ts";
import { legacyNic, netdev } from "./carry-nics.ts";
import { parseCommandLine } from "./command-line.ts";
import { OptionList } from "./option-list.ts";
import { Rewriting, type Surroundings } from "./rewriting.ts";

/** A command line that starts the same machine in another process. */
export interface CarriedCommandLine {
  /** For `qemu_arguments` of a guest definition. */
  arguments: string[];
  /** Reasons why it would not be the same machine; none when it would. */
  refusals: string[];
  /** What is different all the same, and not the guest's to see. */
  warnings: string[];
  /** Of `-cpu`; null without one. */
  cpu: string | null;
  /** Files that it names for the guest's boot. */
  kernel: string | null;
  initrd: string | null;
}

/**
 * Makes of a running QEMU's arguments (without the program's name) those that make the same machine elsewhere: all that
 * make the machine, in their order, with only what belongs to the one process replaced. Pure but for
 * `surroundings.look`.
 * @throws SojournError `SOJ_COMMAND_LINE` for an option that is not known.
 */
export function carryCommandLine(
  args: readonly string[],
  surroundings: Surroundings,
): CarriedCommandLine {
  const options = parseCommandLine(args);
  const rewriting = new Rewriting(options, surroundings);
  const words: string[] = [];
  const found = new Map<string, string>();
  for (const { name, use, value } of options) {
    if (use === "refused") {
      rewriting.refuse(
        `-${name}: ${refusedFor[name ?? ""] ?? "it means this host or process only"}`,
      );
    } else if (use === "kept") {
      words.push(`-${name}`, ...(value === null ? [] : [value]));
    } else if (use === "dropped") {
      warnOfDisplay(name ?? "", value ?? "", rewriting);
    } else if (use === "rewritten") {
      words.push(...rewrite(name, value ?? "", rewriting));
    }
    if (name !== null && value !== null) found.set(name, value);
  }
  if (!words.some((word, index) => word === "-machine" && isTyped(words[index + 1] ?? ""))) {
    words.unshift("-machine", surroundings.machine);
  }
  if (!isAcceleratorNamed(options)) words.push("-accel", surroundings.accelerator);
  if (rewriting.taps !== 1) {
    rewriting.refuse(`it has ${rewriting.taps} NICs on a tap: a guest moves with exactly one`);
  }
  const path = (name: string) => (found.has(name) ? rewriting.path(found.get(name) ?? "") : null);
  return {
    arguments: words,
    refusals: rewriting.refusals,
    warnings: rewriting.warnings,
    cpu: found.get("cpu") ?? null,
    kernel: path("kernel"),
    initrd: path("initrd"),
  };
}

type Rewrite = (value: string, rewriting: Rewriting) => string[];

function rewrite(name: string | null, value: string, rewriting: Rewriting): string[] {
  if (name === null) return [rewriting.path(value)];
  const special = rewrites[name];
  if (special !== undefined) return special(value, rewriting);
  return [`-${name}`, rewriting.path(value)];
}

function withPaths(name: string, implied: string, keys: readonly string[]): Rewrite {
  return (value, rewriting) => {
    const list = OptionList.parse(value, implied);
    return [`-${name}`, rewriting.paths(list, keys).toString()];
  };
}

/** Those that name nothing but a path are not here. */
const rewrites: Record<string, Rewrite> = {
  M: machineType,
  machine: machineType,
  accel: acceleratorChoice,
  nographic: () => ["-machine", "graphics=off"],
  audio: soundless("audio", "driver"),
  audiodev: soundless("audiodev", "driver"),
  drive: (value, rewriting) => {
    const list = OptionList.parse(value, "file");
    if (list.isOn("snapshot"))
      rewriting.refuse("-drive snapshot=on: its writes exist in this process only");
    return ["-drive", rewriting.paths(list, ["file", "filename", "file.filename"]).toString()];
  },
  blockdev: withPaths("blockdev", "driver", ["filename", "file.filename", "file.file.filename"]),
  acpitable: withPaths("acpitable", "", ["file", "data"]),
  smbios: withPaths("smbios", "", ["file", "path"]),
  fw_cfg: withPaths("fw_cfg", "name", ["file"]),
  "mem-path": (value, rewriting) => {
    const path = rewriting.path(value);
    if (rewriting.surroundings.look(path) === "file")
      rewriting.refuse(`-mem-path: ${sharedMemory(path)}`);
    return ["-mem-path", path];
  },
  iscsi: (value, rewriting) => {
    if (OptionList.parse(value, "user").has("password")) {
      rewriting.refuse("-iscsi: a password is written on the command line");
      return [];
    }
    return ["-iscsi", value];
  },
  usbdevice: (value, rewriting) => {
    if (value.startsWith("host:")) rewriting.refuse("-usbdevice host: it is a device of this host");
    return ["-usbdevice", value];
  },
  chardev: characterDevice,
  serial: (value, rewriting) => port("serial", value, rewriting),
  parallel: (value, rewriting) => port("parallel", value, rewriting),
  debugcon: (value, rewriting) => port("debugcon", value, rewriting),
  device,
  object: namedObject,
  netdev,
  nic: (value, rewriting) => legacyNic("nic", value, rewriting),
  net: (value, rewriting) => legacyNic("net", value, rewriting),
};

/** Why the memory of a guest must not be a file that a second process would open. */
function sharedMemory(path: string): string {
  return `the guest's memory is the file ${path}, which another process would write into`;
}

function soundless(name: string, implied: string): Rewrite {
  return (value, rewriting) => {
    const list = OptionList.parse(value, implied);
    if (list.get("driver") !== "none") rewriting.warn("its sound is heard nowhere after a move");
    const id = list.get("id");
    const model = list.get("model");
    const rest = [id && `id=${id}`, model && `model=${model}`].filter(Boolean);
    return [`-${name}`, ["none", ...rest].join(",")];
  };
}

function warnOfDisplay(name: string, value: string, rewriting: Rewriting): void {
  const isSeen = name === "vnc" || name === "spice" || (name === "display" && value !== "none");
  if (!isSeen || (name === "vnc" && value === "none")) return;
  rewriting.warn(
    `its display (-${name}) is seen nowhere after a move; a VNC or SPICE client is cut off`,
  );
}

function isTyped(value: string): boolean {
  return OptionList.parse(value, "type").has("type");
}

const refusedFor: Record<string, string> = {
  snapshot: "the guest's writes exist in this process only",
  readconfig: "its machine is described in a file that may have changed since",
  fsdev: "a folder of this host is shared with the guest",
  virtfs: "a folder of this host is shared with the guest",
  tpmdev: "the TPM's state is kept on this host",
  "add-fd": "a descriptor of this process alone",
};
