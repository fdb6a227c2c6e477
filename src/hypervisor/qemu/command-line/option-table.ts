/**
 * What becomes of an option of a running QEMU's command line when that command line is used again for the same guest in
 * another process:
 * `kept`: it makes the machine, and stays as it is but for relative paths;
 * `rewritten`: it makes the machine, and names something of this one process or host as well;
 * `dropped`: it is about the process, its windows, logs or monitor, of which the other process has its own;
 * `refused`: what it asks for exists once, or on this host only.
 */
export type OptionUse = "kept" | "rewritten" | "dropped" | "refused";

export interface KnownOption {
  use: OptionUse;
  takesValue: boolean;
}

/** The option of that name (without its dashes) in qemu-system-x86_64(1), 7.2 to 10.x, or Proxmox VE's; undefined for any other. */
export function knownOption(name: string): KnownOption | undefined {
  return options.get(name);
}

const flags: Record<OptionUse, string> = {
  kept: "enable-kvm mem-prealloc no-acpi no-fd-bootchk no-hpet no-reboot no-shutdown nodefaults usb win2k-hack",
  rewritten: "nographic",
  dropped:
    "S alt-grab ctrl-grab curses daemonize enable-sync-profile full-screen jitdump no-quit no-user-config " +
    "one-insn-per-tb only-migratable perfmap preconfig s sdl show-cursor singlestep",
  refused: "snapshot xen-attach xen-domid-restrict",
};

const withValue: Record<OptionUse, string> = {
  kept:
    "action append balloon boot compat cpu global icount m numa overcommit rtc set smp uuid vga watchdog " +
    "watchdog-action",
  rewritten:
    "L M accel acpitable audio audiodev bios blockdev cdrom chardev debugcon device drive dtb fda fdb fw_cfg hda hdb " +
    "hdc hdd initrd iscsi kernel machine mem-path mtdblock net netdev nic object option-rom parallel pflash sd serial shim " +
    "smbios usbdevice",
  dropped:
    "D chroot d dfilter display echr gdb id incoming k loadvm mon monitor msg name pidfile qmp qmp-pretty run-with " +
    "runas sandbox seed spice trace vnc",
  refused:
    "add-fd dump-vmstate fsdev plugin readconfig soundhw tpmdev virtfs writeconfig xen-domid",
};

const options = new Map<string, KnownOption>(
  [
    { names: flags, takesValue: false },
    { names: withValue, takesValue: true },
  ].flatMap(({ names, takesValue }) =>
    Object.entries(names).flatMap(([use, list]) =>
      list
        .split(" ")
        .map((name): [string, KnownOption] => [name, { use: use as OptionUse, takesValue }]),
    ),
  ),
);
