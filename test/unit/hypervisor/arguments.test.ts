import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { guestDefinitionFromJson } from "../../../src/hypervisor/definition.ts";
import { qemuArguments } from "../../../src/hypervisor/qemu/arguments.ts";
import { instancePaths } from "../../../src/hypervisor/qemu/instance-paths.ts";

const definition = guestDefinitionFromJson({
  name: "web1",
  memory_mib: 128,
  vcpus: 2,
  kernel: "/boot/vm,linuz",
  append: "console=ttyS0,115200 quiet",
  disks: [{ path: "/srv/a,b.img", format: "raw", read_only: true }],
  nics: [{ mac: "52:54:00:00:00:01" }, { mac: "52:54:00:00:00:02" }],
  extra_arguments: ["-device", "virtio-rng-pci"],
});
const nics = [{ tapName: "sjt0" }, { tapName: "sjt1" }];

function argumentsOf(incoming: boolean, instanceId = "00000001"): string[] {
  const paths = instancePaths("/run/sojourn", "web1", instanceId);
  return qemuArguments({ definition, nics, accelerator: "tcg", instanceId, paths, incoming });
}

/** What follows each occurrence of an option. */
function values(args: readonly string[], option: string): (string | undefined)[] {
  return args.flatMap((argument, index) => (argument === option ? [args[index + 1]] : []));
}

describe("qemuArguments", () => {
  test("never lets the guest run by itself and waits for a stream only when incoming", () => {
    expect(argumentsOf(false)).toContain("-S");
    expect(argumentsOf(true)).toContain("-S");
    expect(values(argumentsOf(true), "-incoming")).toEqual(["defer"]);
    expect(argumentsOf(false)).not.toContain("-incoming");
  });

  test("source and destination have the same hardware", () => {
    const hardware = (args: string[]) =>
      [
        "-machine",
        "-accel",
        "-m",
        "-smp",
        "-device",
        "-blockdev",
        "-netdev",
        "-uuid",
        "-kernel",
      ].map((option) => values(args, option));
    expect(hardware(argumentsOf(true, "0000000a"))).toEqual(hardware(argumentsOf(false)));
  });

  test("taps and NICs in order, without scripts and ROMs", () => {
    expect(values(argumentsOf(false), "-netdev")).toEqual([
      "tap,id=net0,ifname=sjt0,script=no,downscript=no",
      "tap,id=net1,ifname=sjt1,script=no,downscript=no",
    ]);
    expect(values(argumentsOf(false), "-device")).toEqual([
      "virtio-blk-pci,drive=disk0,id=virtio-disk0",
      "virtio-net-pci,netdev=net0,id=nic0,mac=52:54:00:00:00:01,romfile=",
      "virtio-net-pci,netdev=net1,id=nic1,mac=52:54:00:00:00:02,romfile=",
      "virtio-rng-pci",
    ]);
  });

  test("disks are files or devices, with the cache mode of their definition", () => {
    const disks = [
      { path: "/dev/disk/by-id/wwn-1", format: "raw", cache: "none" },
      { path: "/dev/shm/a.img", format: "raw", cache: "directsync" },
    ];
    const guest = guestDefinitionFromJson({ name: "db1", memory_mib: 64, disks });
    const paths = instancePaths("/run/sojourn", "db1", "1");
    const args = qemuArguments({
      ...{ definition: guest, nics: [], accelerator: "tcg", instanceId: "1", paths },
      incoming: false,
    });
    expect(values(args, "-blockdev")).toEqual([
      "driver=raw,node-name=disk0,read-only=off,file.driver=host_device,file.filename=/dev/disk/by-id/wwn-1,cache.direct=on",
      "driver=raw,node-name=disk1,read-only=off,file.driver=file,file.filename=/dev/shm/a.img,cache.direct=on",
    ]);
    expect(values(args, "-device")).toEqual([
      "virtio-blk-pci,drive=disk0,id=virtio-disk0",
      "virtio-blk-pci,drive=disk1,id=virtio-disk1,write-cache=off",
    ]);
  });

  test("commas are doubled in option lists and left alone elsewhere", () => {
    expect(values(argumentsOf(false), "-blockdev")).toEqual([
      "driver=raw,node-name=disk0,read-only=on,file.driver=file,file.filename=/srv/a,,b.img",
    ]);
    expect(values(argumentsOf(false), "-kernel")).toEqual(["/boot/vm,linuz"]);
    expect(values(argumentsOf(false), "-append")).toEqual(["console=ttyS0,115200 quiet"]);
  });

  test("each process has its own monitor and console", () => {
    expect(values(argumentsOf(false), "-chardev")).toEqual([
      "socket,id=qmp-00000001,path=/run/sojourn/guests/web1/00000001/qmp.sock,server=on,wait=off",
      "file,id=console,path=/run/sojourn/guests/web1/00000001/console.log,append=on",
    ]);
  });

  test("no name and no path of a definition becomes an option of its own", () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, hostile, (disk, kernel, append, run) => {
        const guest = acceptedDefinition({
          ...definition,
          kernel: `/${kernel}`,
          append,
          disks: [{ path: `/${disk}`, format: "qcow2" }],
          extra_arguments: [],
        });
        if (guest === null) return;
        const paths = instancePaths(
          `/${run.replaceAll("\0", "").slice(0, 15)}`,
          "web1",
          "00000001",
        );
        const args = qemuArguments({
          ...{ definition: guest, nics, accelerator: "tcg", instanceId: "00000001" },
          ...{ paths, incoming: true },
        });
        expect(args.filter((argument) => argument.includes("\0"))).toEqual([]);
        expect(optionList(values(args, "-blockdev")[0])).toEqual([
          "driver=qcow2",
          "node-name=disk0",
          "read-only=off",
          "file.driver=file",
          `file.filename=/${disk}`,
        ]);
        expect(values(args, "-chardev").map(optionList)).toEqual([
          ["socket", "id=qmp-00000001", `path=${paths.monitor}`, "server=on", "wait=off"],
          ["file", "id=console", `path=${paths.console}`, "append=on"],
        ]);
        expect(args.slice(args.indexOf("-kernel")).slice(0, 2)).toEqual(["-kernel", `/${kernel}`]);
        expect(args[args.indexOf("-append") + 1]).toBe(append);
      }),
      { numRuns: 500 },
    );
  });

  test("whatever a CPU model holds, it stays the value of its option", () => {
    fc.assert(
      fc.property(hostile, (cpu) => {
        const guest = acceptedDefinition({ ...definition, cpu });
        if (guest !== null) expect(guest.cpu).toMatch(/^[A-Za-z0-9][A-Za-z0-9._,=+-]*$/);
      }),
    );
  });

  test("a run folder that is too long for a socket is refused", () => {
    expect(() => instancePaths(`/run/${"x".repeat(90)}`, "web1", "00000001")).toThrow(
      expect.objectContaining({ code: "SOJ_PATH_TOO_LONG", exitCode: 3 }),
    );
  });
});

/** Texts made of what separates and begins options. */
const hostile = fc
  .array(
    fc.constantFrom(
      ",",
      ",,",
      "=",
      "-",
      "--",
      " ",
      "a",
      "/",
      "..",
      "\\",
      "'",
      '"',
      "\n",
      "\0",
      "é",
    ),
  )
  .map((pieces) => pieces.join(""));

/** The definition, or null when its schema refuses it with an error of the right kind. */
function acceptedDefinition(value: unknown) {
  try {
    return guestDefinitionFromJson(value);
  } catch (error) {
    expect(error).toMatchObject({ code: "SOJ_GUEST_DEFINITION_INVALID" });
    return null;
  }
}

/** An option list as QEMU reads it (`get_opt_value` in util/qemu-option.c): a doubled comma is one. */
function optionList(text = ""): string[] {
  const doubled = "\u0001";
  const parts = text.replaceAll(",,", doubled).split(",");
  return parts.map((part) => part.replaceAll(doubled, ","));
}
