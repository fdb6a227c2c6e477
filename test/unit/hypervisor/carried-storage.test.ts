import { expect, test } from "vitest";
import { carriedStorage } from "../../../src/hypervisor/qemu/carried-storage.ts";

const disk = (path: string) => ({ path, format: "raw" as const, read_only: false });
const node = (file: string) => ({
  ...{ "node-name": "#block1", drv: "file", file, ro: false },
  cache: { direct: true, "no-flush": false },
});
const device = (file: string) => ({
  ...{ qdev: "/machine/peripheral/virtio-disk0/virtio-backend" },
  inserted: { file, drv: "raw", "node-name": "libvirt-1-format" },
});

test("disks of a carried command line are known by their paths, whatever their devices are called", () => {
  const open = carriedStorage(
    [node("/srv/a"), node("./b")],
    [device("/srv/a"), device("./b")],
    [...[disk("/srv/a"), disk("/vm/b")]],
  );
  expect(open.replacedDisks).toEqual([]);
  expect(open.files.map(({ path, disk: index }) => [path, index])).toEqual([
    ...[["/srv/a", 0]],
    ...[["/vm/b", 1]],
  ]);
});

test("a disk over which a snapshot was put, or that was taken out, is told", () => {
  const nodes = [node("/srv/a"), node("/srv/snapshot")];
  const disks = [disk("/srv/a"), disk("/srv/c")];
  expect(carriedStorage(nodes, [device("/srv/snapshot")], disks).replacedDisks).toEqual([0, 1]);
});
