import { describe, expect, test } from "vitest";
import type { ExaminedQemu } from "../../../src/hypervisor/qemu/adoption/examine.ts";
import {
  adoptionRefusals,
  proposeDefinition,
} from "../../../src/hypervisor/qemu/adoption/proposal.ts";

const image = { file: "/srv/d.qcow2", format: "qcow2", readOnly: false, isLost: false };

function examined(
  process: Partial<ExaminedQemu["process"]> = {},
  monitor: Partial<ExaminedQemu["monitor"]> = {},
  carried: Partial<ExaminedQemu["carried"]> = {},
): ExaminedQemu {
  return {
    socket: "/",
    process: {
      ...{ identity: { pid: 4711, startTicks: 1 }, commandLineDigest: "", program: "qemu" },
      ...{ arguments: ["-drive", "file=d.qcow2,if=virtio"], folder: "/srv", currentFolder: "/srv" },
      ...{ effectiveUserId: 0, taps: ["tap77"], sockets: [], foreign: [], ...process },
    },
    monitor: {
      ...{ version: { major: 10, minor: 0, text: "10.0.2" }, name: null, runState: "running" },
      ...{ uuid: "00000000-0000-0000-0000-000000000000", target: "x86_64", accelerator: "tcg" },
      ...{ machine: "pc-q35-10.0", memoryMib: 64, vcpus: 2, images: [image], jobs: [] },
      ...{
        blockers: [],
        migration: "none",
        capabilities: ["return-path"],
        tree: { devices: [], macAddresses: [] },
        ...monitor,
      },
    },
    carried: {
      ...{ arguments: ["-m", "64"], refusals: [], warnings: [], cpu: null, kernel: null },
      ...{ initrd: null, ...carried },
    },
  };
}

const nic = { mac: "52:54:00:00:00:01", addresses: ["10.1.0.20/24"], gateway: "10.1.0.1" };
const ownMonitor = "the monitor / is not one that process 4711 listens on";

describe("what is proposed for a running QEMU", () => {
  test("is a definition that describes it, with the disks that are files", () => {
    const nbd = { ...image, file: "nbd://10.0.0.1/x" };
    const { qemu_arguments: carried, ...rest } = proposeDefinition(
      "byhand",
      examined({}, { images: [image, nbd] }),
      nic,
    );
    expect(carried).toEqual(["-m", "64"]);
    expect(rest).toMatchObject({
      machine: "pc-q35-10.0",
      vcpus: 2,
      accelerator: "tcg",
      nics: [nic],
    });
    expect(rest.disks).toEqual([{ path: "/srv/d.qcow2", format: "qcow2", read_only: false }]);
  });

  test("is refused only for the monitor here, which nobody listens on", () => {
    expect(adoptionRefusals(examined())).toEqual([ownMonitor]);
  });

  test.each([
    [{ foreign: ["network"] }, {}, {}, "its network is not the daemon's"],
    [{ taps: ["a", "b"] }, {}, {}, "it holds 2 taps (a, b)"],
    [{}, { runState: "inmigrate" }, {}, "its guest is inmigrate"],
    [{}, { jobs: ["backup of d0"] }, {}, "under way: backup of d0"],
    [{}, { blockers: ["VFIO device"] }, {}, "QEMU says: VFIO device"],
    [{}, { migration: "active" }, {}, "somebody is migrating it: active"],
    [{}, { capabilities: ["multifd", "events"] }, {}, "capability multifd is set"],
    [{}, { target: "aarch64" }, {}, "its processors are aarch64"],
    [
      {},
      { images: [{ ...image, file: "/srv/snap.qcow2" }] },
      {},
      "which its command line does not name",
    ],
    [{}, { images: [{ ...image, isLost: true }] }, {}, "a folder that the process has left"],
    [{}, {}, { refusals: ["-snapshot: no"] }, "-snapshot: no"],
  ])("%j %j %j is refused", (process, monitor, carried, reason) => {
    const refusals = adoptionRefusals(examined(process, monitor, carried));
    expect(refusals.join("; ")).toContain(reason);
    expect(refusals).toHaveLength(2);
  });
});
