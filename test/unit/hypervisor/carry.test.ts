import { describe, expect, test } from "vitest";
import { carryCommandLine } from "../../../src/hypervisor/qemu/command-line/carry.ts";
import type { Surroundings } from "../../../src/hypervisor/qemu/command-line/rewriting.ts";
import { commandLines } from "./command-lines.ts";

const surroundings: Surroundings = {
  folder: "/home/op/vm",
  machine: "pc-q35-10.0",
  accelerator: "kvm",
  look: (path) =>
    path.startsWith("/home/op/vm/") || path.startsWith("/images/")
      ? "file"
      : path.startsWith("/dev/hugepages")
        ? "folder"
        : null,
};

function carry(line: string | readonly string[], changes: Partial<Surroundings> = {}) {
  const words = typeof line === "string" ? line.split(" ") : line;
  return carryCommandLine(words, { ...surroundings, ...changes });
}

const nic = "-netdev tap,id=n,ifname=tap0,script=no -device virtio-net-pci,netdev=n";

/** The carried words from `from` to before `to`. */
function part(args: readonly string[], from: string, count = 2): string[] {
  const at = args.indexOf(from);
  return args.slice(at, at + count);
}

describe("a carried command line", () => {
  test("written by hand: only what is the process's own is replaced, in its place", () => {
    const {
      arguments: args,
      refusals,
      warnings,
    } = carry(commandLines.byHand, { accelerator: "tcg" });
    expect(refusals).toEqual([]);
    expect(args).toEqual([
      ...["-machine", "pc-q35-10.0", "-m", "512", "-smp", "2"],
      ...["-drive", "file=/home/op/vm/disk.qcow2,if=virtio,cache=none"],
      ...["-netdev", "tap,id=lan,ifname=%tap0%,script=no,downscript=no"],
      ...["-device", "e1000,netdev=lan,mac=52:54:00:01:02:03"],
      ...["-chardev", "file,id=sojourn-console,path=%console%,append=on"],
      ...["-serial", "chardev:sojourn-console", "-accel", "tcg"],
    ]);
    expect(warnings).toEqual([expect.stringMatching(/display \(-vnc\)/)]);
  });

  test("libvirt's: devices as JSON stay word for word, and its channels lose their other end", () => {
    const { arguments: args, refusals, warnings } = carry(commandLines.libvirt);
    expect(refusals).toEqual([]);
    for (const kept of commandLines.libvirt.filter((word) => word.startsWith('{"driver":"pcie'))) {
      expect(args).toContain(kept);
    }
    expect(part(args, "-netdev")).toEqual([
      ...["-netdev", "tap,id=hostnet0,ifname=%tap0%,script=no,downscript=no,vhost=on"],
    ]);
    expect(args).toContain("null,id=charchannel0");
    expect(args).toContain("file,id=charserial0,path=%console%,append=on");
    expect(args.join(" ")).not.toMatch(/charmonitor|master-key|fd"?[=:]|-daemonize|-sandbox/);
    expect(part(args, "-machine")[1]).toBe(
      "pc-q35-10.0,usb=off,dump-guest-core=off,memory-backend=pc.ram,acpi=on",
    );
    expect(warnings).toEqual([
      expect.stringMatching(/channel charchannel0 \(socket\)/),
      expect.stringMatching(/display \(-vnc\)/),
    ]);
  });

  test("Proxmox VE's", () => {
    const {
      arguments: args,
      refusals,
      warnings,
    } = carry(commandLines.proxmox, {
      machine: "pc-i440fx-9.2+pve1",
    });
    expect(refusals).toEqual([]);
    expect(part(args, "-netdev")[1]).toBe(
      "tap,id=net0,ifname=%tap0%,script=no,downscript=no,vhost=on",
    );
    expect(part(args, "-machine")[1]).toBe("hpet=off,type=pc-i440fx-9.2+pve1");
    expect(args).toContain("null,id=qga0");
    expect(args).not.toContain("-no-shutdown=");
    expect(args).toContain("-no-shutdown");
    expect(warnings.join(" ")).toMatch(/qga0/);
  });

  test("-set and -global stay where they are", () => {
    const { arguments: args } = carry(
      `${nic} -set device.n.mac=52:54:00:00:00:01 -global kvm-pit.lost_tick_policy=delay`,
    );
    expect(args.slice(4, 8)).toEqual(
      [...["-device", "virtio-net-pci,netdev=n", "-set", "device.n.mac=52:54:00:00:00:01"]].slice(
        0,
      ),
    );
  });

  test("relative paths become absolute, names of QEMU's own data folder stay", () => {
    const { arguments: args, kernel } = carry(
      `${nic} -kernel bzImage -bios bios-256k.bin -cdrom /images/a.iso old.img`,
      { look: (path) => (/bzImage|old\.img/.test(path) ? "file" : null) },
    );
    expect(kernel).toBe("/home/op/vm/bzImage");
    expect(part(args, "-kernel", 7)).toEqual([
      ...["-kernel", "/home/op/vm/bzImage", "-bios", "bios-256k.bin", "-cdrom", "/images/a.iso"],
      "/home/op/vm/old.img",
    ]);
  });

  test("-nographic: what the firmware sees of it stays", () => {
    expect(carry(`${nic} -nographic`).arguments).toContain("graphics=off");
  });

  test("of several accelerators the one that is used stays", () => {
    const { arguments: args } = carry(`${nic} -accel kvm -accel tcg,thread=single`, {
      accelerator: "tcg",
    });
    expect(args.filter((word) => word.startsWith("tcg") || word.startsWith("kvm"))).toEqual([
      "tcg,thread=single",
    ]);
    expect(part(carry(`${nic} -machine q35,accel=kvm:tcg`).arguments, "-machine")[1]).toBe(
      "pc-q35-10.0,accel=kvm",
    );
  });

  test("a tap that a helper made is a tap", () => {
    const { arguments: args, refusals } = carry(
      "-netdev bridge,id=n,br=br0 -device virtio-net-pci,netdev=n",
    );
    expect([refusals, part(args, "-netdev")[1]]).toEqual([
      ...[[], "tap,id=n,ifname=%tap0%,script=no,downscript=no"],
    ]);
    expect(carry("-nic tap,ifname=t,model=e1000,mac=52:54:00:00:00:02").arguments).toContain(
      "tap,ifname=%tap0%,script=no,downscript=no,model=e1000,mac=52:54:00:00:00:02",
    );
  });

  test.each([
    ["-device vfio-pci,host=01:00.0", /device vfio-pci: it is a device of this host/],
    ["-snapshot", /-snapshot: the guest's writes/],
    ["-readconfig vm.cfg", /-readconfig: its machine is described in a file/],
    ["-drive file=a.img,snapshot=on", /snapshot=on/],
    ["-virtfs local,path=/srv,mount_tag=a,security_model=none", /-virtfs: a folder of this host/],
    ["-device vhost-user-fs-pci,chardev=c,tag=a", /another program of this host/],
    ["-netdev vhost-user,id=u,chardev=c", /through vhost-user: only a tap/],
    ["-netdev user,id=u", /through user: only a tap/],
    ["-netdev tap,id=m,queues=4", /several queues/],
    ["-object secret,id=s,data=hush -drive file=/a,password-secret=s", /secret s is written/],
    ["-add-fd fd=3,set=2", /-add-fd: a descriptor/],
    ["-drive file=/dev/fdset/2", /descriptor of this process/],
    ["-tpmdev emulator,id=t,chardev=c", /TPM/],
    ["-object memory-backend-file,id=m,size=1G,mem-path=/images/ram", /guest's memory is the file/],
    ["-usbdevice host:1234:5678", /device of this host/],
  ])("%s is refused with a reason", (option, reason) => {
    expect(carry(`${nic} ${option}`).refusals.join("; ")).toMatch(reason);
  });

  test("no secret is carried", () => {
    const { arguments: args } = carry(
      `${nic} -object secret,id=s,data=hush -vnc :1,password-secret=s`,
    );
    expect(args.join(" ")).not.toContain("hush");
  });

  test("huge pages are a folder, and stay", () => {
    const memory = "memory-backend-file,id=m,size=1G,mem-path=/dev/hugepages,share=on";
    const { arguments: args, refusals } = carry(`${nic} -object ${memory}`);
    expect([refusals, args.includes(memory)]).toEqual([[], true]);
  });

  test("a guest without a tap, or with two, is refused", () => {
    expect(carry("-m 64").refusals).toEqual([expect.stringMatching(/0 NICs on a tap/)]);
    expect(carry(`${nic} -netdev tap,id=o`).refusals).toEqual([
      expect.stringMatching(/2 NICs on a tap/),
    ]);
  });
});
