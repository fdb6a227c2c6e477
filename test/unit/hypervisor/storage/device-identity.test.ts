import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deviceIdentity } from "../../../../src/hypervisor/storage/device-identity.ts";
import { temporaryFolder } from "../../migrator/support.ts";

/** A sysfs with the files that tell devices apart; their contents are as real kernels write them. */
let sys: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  sys = temporaryFolder();
  mkdirSync(join(sys.path, "dev/block"), { recursive: true });
});
afterEach(() => sys[Symbol.dispose]());

const wwn = "naa.600140512345678abcdef";

/** Adds a device; `minor` is also its name's number. */
function device(
  minor: number,
  folder: string,
  files: Record<string, string>,
  below: string[] = [],
) {
  const path = join(sys.path, "devices", folder);
  for (const [name, text] of Object.entries({ size: "2048", ...files })) {
    mkdirSync(join(path, name, ".."), { recursive: true });
    writeFileSync(join(path, name), `${text}\n`);
  }
  mkdirSync(join(path, "slaves"), { recursive: true });
  for (const name of below) {
    symlinkSync(join(sys.path, "devices", name), join(path, "slaves", name.replace("/", "-")));
  }
  symlinkSync(path, join(sys.path, "dev/block", `8:${minor}`));
}
const identity = (minor: number) => deviceIdentity(BigInt((8 << 8) | minor), sys.path);

describe("a block device", () => {
  it("is told by its world-wide name, whatever it is called here", () => {
    device(0, "sda", { "device/wwid": wwn });
    device(16, "nvme0n1", { wwid: "eui.0025385B01409AF6" });
    expect(identity(0)).toEqual({ id: wwn, why: null, size_bytes: 1024 * 1024 });
    expect(identity(16).id).toBe("eui.0025385b01409af6");
  });

  it("is a partition of one", () => {
    device(0, "sda", { "device/wwid": wwn });
    device(1, "sda/sda1", { partition: "1" });
    expect(identity(1).id).toBe(`${wwn} part 1`);
  });

  it("is mapped onto devices that have names", () => {
    device(0, "sda", { "device/wwid": wwn });
    device(16, "sdb", { "device/wwid": wwn });
    device(32, "dm-0", { "dm/uuid": "mpath-36001405" }, ["sda", "sdb"]);
    device(33, "dm-1", { "dm/uuid": "LVM-abcdef" }, ["dm-0"]);
    expect(identity(33).id).toBe(`dm LVM-abcdef on dm mpath-36001405 on ${wwn}`);
  });

  it("is nobody's in particular when what it is mapped onto has no name: templates copy UUIDs", () => {
    device(0, "vda", {});
    device(32, "dm-0", { "dm/uuid": "LVM-abcdef" }, ["vda"]);
    expect(identity(32)).toMatchObject({ id: null, why: expect.stringContaining("no world-wide") });
  });

  it.each(["t10.ATA     QEMU HARDDISK   QM00001", "nvme.1b36-64697368-51454d55-00000001"])(
    "has no name that hypervisors give to many: %s",
    (wwid) => {
      device(0, "sda", { "device/wwid": wwid });
      expect(identity(0)).toMatchObject({
        id: null,
        why: expect.stringContaining("not world-wide"),
      });
    },
  );

  it("is an image of a Ceph cluster", () => {
    const facts = { cluster_fsid: "c-1", pool_id: "2", image_id: "10ab", current_snap: "-" };
    device(
      0,
      "rbd0",
      Object.fromEntries(Object.entries(facts).map(([name, text]) => [`device/${name}`, text])),
    );
    expect(identity(0).id).toBe("rbd c-1/2/10ab/-");
  });

  it("is not known when the kernel does not describe it", () => {
    expect(identity(99)).toMatchObject({ id: null, size_bytes: 0 });
  });
});
