import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openStorage } from "../../../src/hypervisor/qemu/open-storage.ts";

const cache = { "no-flush": false, direct: true, writeback: true };

/** As QEMU 10.0.2 tells of a disk, a read-only one of an extra argument, and a snapshot of the first. */
const base = "/images/base.img";
const before = {
  nodes: [
    { "node-name": "#block297", drv: "raw", file: "/images/cd", ro: true, cache },
    {
      ...{ "node-name": "#block196", drv: "file", file: "/images/cd", ro: true },
      cache: { "no-flush": true, direct: false, writeback: true },
    },
    {
      ...{ "node-name": "disk0", drv: "raw", file: base, ro: false, cache },
      image: { filename: base, format: "raw" },
    },
    { "node-name": "#block008", drv: "file", file: base, ro: false, cache },
  ],
  devices: [
    {
      ...{ device: "cd", qdev: "/machine/peripheral-anon/device[0]/virtio-backend" },
      inserted: { "node-name": "#block297" },
    },
    {
      ...{ device: "", qdev: "/machine/peripheral/virtio-disk0/virtio-backend" },
      inserted: { "node-name": "disk0" },
    },
  ],
};

describe("what QEMU has open", () => {
  it("is every local file, with what is done to it", () => {
    expect(openStorage(before.nodes, before.devices, 1)).toEqual({
      files: [
        {
          ...{ path: "/images/cd", disk: null, readOnly: true },
          ...{ usesPageCache: true, ignoresFlush: true },
        },
        {
          ...{ path: base, disk: 0, readOnly: false },
          ...{ usesPageCache: false, ignoresFlush: false },
        },
      ],
      replacedDisks: [],
    });
  });

  it("is another image than the definition's after a snapshot", () => {
    const [cd, disk] = before.devices;
    const devices = [cd, { ...disk, inserted: { "node-name": "over" } }];
    expect(openStorage(before.nodes, devices, 1).replacedDisks).toEqual([0]);
    expect(openStorage(before.nodes, devices, 0).replacedDisks).toEqual([]);
  });

  it("belongs to a disk also when the disk lies on it", () => {
    const image = {
      filename: "/images/top.qcow2",
      "backing-image": { filename: 'json:{"driver":"raw","file":{"filename":"/images/base.img"}}' },
    };
    const nodes = [
      { "node-name": "disk3", drv: "qcow2", file: "/images/top.qcow2", image, cache },
      { "node-name": "#block1", drv: "host_device", file: base, ro: true, cache },
      { "node-name": "#block2", drv: "nbd", file: "nbd://host/x", ro: true, cache },
      { "node-name": "#block3", drv: "file", file: 'json:{"filename":"/images/a"}', cache },
      { "node-name": "#block4", drv: "file", file: "json:{", cache },
    ];
    const { files } = openStorage(nodes, [], 4);
    expect(files.map(({ path, disk }) => [path, disk])).toEqual([
      [base, 3],
      ["/images/a", null],
      ["json:{", null],
    ]);
  });

  it("is a list or a typed error, whatever QEMU says", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (nodes, devices) => {
        try {
          expect(openStorage(nodes, devices, 4).files).toBeInstanceOf(Array);
        } catch (error) {
          expect(error).toMatchObject({ code: "SOJ_QMP_PROTOCOL" });
        }
      }),
    );
    const node = fc.dictionary(
      fc.constantFrom("drv", "file", "ro", "cache", "image", "node-name"),
      fc.oneof(fc.constantFrom("file", "disk0"), fc.jsonValue()),
    );
    fc.assert(
      fc.property(fc.array(node), fc.array(node), (nodes, devices) => {
        expect(openStorage(nodes, devices, 4).replacedDisks).toEqual([]);
      }),
    );
  });
});
