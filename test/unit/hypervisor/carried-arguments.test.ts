import { describe, expect, test } from "vitest";
import { guestDefinitionFromJson } from "../../../src/hypervisor/definition.ts";
import { qemuArguments } from "../../../src/hypervisor/qemu/arguments.ts";
import {
  carriedArgumentFault,
  nameImages,
} from "../../../src/hypervisor/qemu/command-line/carried-arguments.ts";
import { rehearsalArguments } from "../../../src/hypervisor/qemu/command-line/rehearsal-arguments.ts";
import { instancePaths } from "../../../src/hypervisor/qemu/instance-paths.ts";

const carried = [
  ...["-machine", "pc-q35-10.0,accel=tcg", "-m", "64", "-mem-prealloc"],
  ...["-object", "memory-backend-memfd,id=m,size=64M,prealloc=on"],
  ...["-netdev", "tap,id=lan,ifname=%tap0%,script=no,downscript=no,vhost=on"],
  ...["-device", "virtio-net-pci,netdev=lan,mac=52:54:00:00:00:01"],
  ...["-chardev", "file,id=sojourn-console,path=%console%,append=on"],
  ...["-serial", "chardev:sojourn-console"],
];

function definitionWith(args: readonly string[]) {
  return guestDefinitionFromJson({
    ...{ name: "byhand", memory_mib: 64, machine: "pc-q35-10.0", qemu_arguments: args },
    nics: [{ mac: "52:54:00:00:00:01" }],
  });
}

describe("the carried arguments of an adopted guest", () => {
  test("are in their order in its processes' command lines, with tap and console in their places", () => {
    const args = qemuArguments({
      ...{ definition: definitionWith(carried), nics: [{ tapName: "sjp0" }], accelerator: "tcg" },
      ...{ instanceId: "00000001", paths: instancePaths("/run/a,b", "byhand", "00000001") },
      incoming: true,
    });
    const from = args.indexOf("-machine");
    expect(args.slice(from, from + carried.length)).toEqual(
      carried.map((word) =>
        word
          .replace("%tap0%", "sjp0")
          .replace("%console%", "/run/a,,b/guests/byhand/00000001/console.log"),
      ),
    );
    expect(args.slice(-2)).toEqual(["-incoming", "defer"]);
    expect(args).toContain("-S");
    expect(args.filter((word) => word === "-nodefaults")).toEqual([]);
    expect(args.join(" ")).not.toMatch(/-uuid|-cpu/);
  });

  test("for a rehearsal are on no tap, and take no memory beforehand", () => {
    expect(rehearsalArguments(carried)).toEqual([
      ...["-machine", "pc-q35-10.0,accel=tcg", "-m", "64"],
      ...["-object", "memory-backend-ram,id=m,size=64M"],
      ...["-netdev", "hubport,hubid=0,id=lan"],
      ...["-device", "virtio-net-pci,netdev=lan,mac=52:54:00:00:00:01"],
      ...["-chardev", "file,id=sojourn-console,path=/dev/null,append=on"],
      ...["-serial", "chardev:sojourn-console"],
    ]);
    const pages =
      '{"qom-type":"memory-backend-file","id":"m","mem-path":"/dev/hugepages","share":true,"size":64}';
    expect(rehearsalArguments(["-overcommit", "mem-lock=on", "-object", pages])).toEqual([
      ...["-object", "memory-backend-ram,id=m,size=64,share=on"],
    ]);
    expect(rehearsalArguments(["-object", "rng-random,id=r", "-m", "1"])).toEqual([
      ...["-object", "rng-random,id=r", "-m", "1"],
    ]);
    expect(rehearsalArguments(["-net", "nic", "-net", "tap,ifname=%tap0%,script=no"])).toEqual([
      ...["-net", "nic"],
    ]);
    expect(
      rehearsalArguments(["-nic", "tap,ifname=%tap0%,model=e1000,mac=52:54:00:0:0:1"]),
    ).toEqual(["-nic", "hubport,hubid=0,model=e1000,mac=52:54:00:0:0:1"]);
  });

  test("tell whether there are images", () => {
    expect(nameImages(carried)).toBe(false);
    for (const image of [["-hda", "/a"], ["-drive", "file=/a"], ["/a"]]) {
      expect(nameImages([...carried, ...image])).toBe(true);
    }
  });

  test.each([
    [["-m", "64", "-S"], 2, "-S is set by Sojourn"],
    [["-m", "64", "-qmp", "stdio"], 2, "-qmp is set by Sojourn"],
    [["-snapshot"], 0, "-snapshot cannot move"],
    [["-nosuch"], 0, "no option of QEMU's"],
    [["-m"], 0, "lacks its value"],
    [["-m", "6\n4"], 1, "control characters"],
  ])("%j are refused", (args, index, message) => {
    expect(carriedArgumentFault(args)).toMatchObject({
      index,
      message: expect.stringContaining(message),
    });
    expect(() => definitionWith(args)).toThrow(/qemu_arguments/);
  });

  test("are bounded in all", () => {
    const args = Array.from({ length: 8 }, () => ["-append", "x".repeat(4_000)]).flat();
    expect(() => definitionWith(args)).toThrow(/more than 24576 bytes/);
  });

  test("a value may look like an option", () => {
    expect(carriedArgumentFault(["-append", "-S"])).toBeNull();
  });
});
