import { type GuestDefinition, guestUuid } from "../definition.ts";
import type { NicAttachment } from "../hypervisor.ts";
import { placedArguments } from "./command-line/carried-arguments.ts";
import { escaped } from "./command-line/option-list.ts";
import type { InstancePaths } from "./instance-paths.ts";

export interface QemuArgumentsOptions {
  definition: GuestDefinition;
  nics: readonly NicAttachment[];
  accelerator: "kvm" | "tcg";
  instanceId: string;
  paths: InstancePaths;
  /** Wait for another host's migration stream instead of booting. */
  incoming: boolean;
}

/**
 * QEMU's command line (qemu-system-x86_64(1)). The hardware depends on the definition alone, so that
 * source and destination agree; the guest never runs before it is told to (`-S`).
 */
export function qemuArguments(options: QemuArgumentsOptions): string[] {
  const { definition, accelerator, incoming } = options;
  if (definition.qemu_arguments !== undefined) {
    return carriedMachine(options, definition.qemu_arguments);
  }
  return [
    ["-nodefaults", "-no-user-config", "-display", "none", "-S"],
    ["-name", `guest=${definition.name},debug-threads=on`, "-uuid", guestUuid(definition)],
    ["-machine", definition.machine, "-accel", accelerator],
    definition.cpu === undefined ? [] : ["-cpu", definition.cpu],
    ["-m", `${definition.memory_mib}M`, "-smp", String(definition.vcpus)],
    [...monitorArguments(options), ...consoleArguments(options)],
    bootArguments(definition),
    definition.disks.flatMap(diskArguments),
    options.nics.flatMap(({ tapName }, index) =>
      nicArguments(tapName, definition.nics[index]?.mac ?? "", index),
    ),
    sandbox,
    incoming ? ["-incoming", "defer"] : [],
    definition.extra_arguments,
  ].flat();
}

/** Label of the monitor's character device; tells the monitors of one guest's processes apart. */
export function monitorLabel(instanceId: string): string {
  return `qmp-${instanceId}`;
}

function monitorArguments({ instanceId, paths }: QemuArgumentsOptions): string[] {
  const label = monitorLabel(instanceId);
  return [
    ...["-chardev", `socket,id=${label},path=${escaped(paths.monitor)},server=on,wait=off`],
    ...["-mon", `chardev=${label},mode=control`],
    ...["-pidfile", paths.pidFile, "-msg", "timestamp=on"],
  ];
}

function consoleArguments({ paths }: QemuArgumentsOptions): string[] {
  return [
    ...["-chardev", `file,id=console,path=${escaped(paths.console)},append=on`],
    ...["-serial", "chardev:console"],
  ];
}

/** What no QEMU of ours may do: start programs, become another user. */
export const sandbox = [
  "-sandbox",
  "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
];

/** The machine of an adopted guest, as its own command line made it. */
function carriedMachine(options: QemuArgumentsOptions, carried: readonly string[]): string[] {
  const { definition, nics, paths, incoming } = options;
  const [nic] = nics;
  return [
    ["-no-user-config", "-display", "none", "-S"],
    ["-name", `guest=${definition.name},debug-threads=on`],
    monitorArguments(options),
    placedArguments(carried, { tapName: nic?.tapName ?? "", console: paths.console }),
    sandbox,
    incoming ? ["-incoming", "defer"] : [],
  ].flat();
}

function bootArguments({ kernel, initrd, append }: GuestDefinition): string[] {
  if (kernel === undefined) return [];
  return [
    ...["-kernel", kernel],
    ...(initrd === undefined ? [] : ["-initrd", initrd]),
    ...(append === undefined ? [] : ["-append", append]),
  ];
}

function diskArguments(disk: GuestDefinition["disks"][number], index: number): string[] {
  const id = `disk${index}`;
  const readOnly = disk.read_only ? "on" : "off";
  const file = `file.driver=${protocolDriver(disk.path)},file.filename=${escaped(disk.path)}`;
  const image = `driver=${disk.format},node-name=${id},read-only=${readOnly},${file}`;
  const { blockdev, device } = cacheArguments(disk.cache);
  return [
    ...["-blockdev", `${image}${blockdev}`],
    ...["-device", `virtio-blk-pci,drive=${id},id=virtio-${id}${device}`],
  ];
}

/** QEMU wants to be told which is a device. The definition alone decides, so that both hosts say the same. */
function protocolDriver(path: string): "file" | "host_device" {
  return path.startsWith("/dev/") && !path.startsWith("/dev/shm/") ? "host_device" : "file";
}

/** Cache modes as qemu-system-x86_64(1) takes them apart; the file below an image has the image's `cache.direct`. */
function cacheArguments(cache: GuestDefinition["disks"][number]["cache"]) {
  const blockdev = cache === "none" || cache === "directsync" ? ",cache.direct=on" : "";
  return { blockdev, device: cache === "directsync" ? ",write-cache=off" : "" };
}

function nicArguments(tapName: string, mac: string, index: number): string[] {
  const id = `net${index}`;
  return [
    ...["-netdev", `tap,id=${id},ifname=${tapName},script=no,downscript=no`],
    // Without a boot ROM there is nothing to load at the destination and nothing to boot from.
    ...["-device", `virtio-net-pci,netdev=${id},id=nic${index},mac=${mac},romfile=`],
  ];
}
