import type { DiskSource, DomainDisk } from "../facts/disk.ts";
import type { DomainFacts } from "../read-domain.ts";
import { type Obstacle, obstacle } from "./obstacle.ts";

/** What of a domain's storage cannot move, or needs more than its files. Whether those are shared is not judged here. */
export function storageObstacles({ disks, boot, tpms, placement }: DomainFacts): Obstacle[] {
  return [
    ...disks.flatMap(diskObstacles),
    ...(boot.nvram === null
      ? []
      : [
          obstacle(
            ["noted", "nvram"],
            "the firmware's variables",
            "travel with the guest; the destination's libvirt makes a file of its own of them",
            { path: boot.nvram.path, template: boot.nvram.template, type: boot.nvram.type },
          ),
        ]),
    ...tpms.map(({ backend, path }) =>
      backend === "emulator"
        ? obstacle(
            ["depends", "tpm"],
            "the TPM",
            "has its state in a folder of the host, which libvirt sends along; the destination needs swtpm",
            { backend, path },
          )
        : obstacle(["refused", "tpm"], "the TPM", "is the host's own, or another program's", {
            ...{ backend, path },
          }),
    ),
    ...placement.secrets.map(({ uuid, usage }) =>
      obstacle(
        ["depends", "secret"],
        `secret ${uuid ?? usage ?? ""}`,
        "must be defined in the destination's libvirt, with its value",
        { uuid, usage },
      ),
    ),
  ];
}

function diskObstacles(disk: DomainDisk): Obstacle[] {
  const subject = `disk ${disk.target}`;
  const found: Obstacle[] = [];
  if (disk.hasMirror) {
    found.push(obstacle(["refused", "block-job"], subject, "is being copied elsewhere"));
  }
  if (disk.isTransient) {
    const reason = "is transient: what the guest writes is kept in a file of this host only";
    found.push(obstacle(["refused", "transient-disk"], subject, reason));
  }
  if (disk.hasReservations) {
    const reason = "may hold persistent reservations, which the storage gives to one host";
    found.push(
      obstacle(["depends", "persistent-reservations"], subject, reason, { path: disk.path }),
    );
  }
  if (disk.type === "none") return found;
  const images = [disk, ...disk.backing].flatMap((image) => [image, ...dataFileOf(image)]);
  return [...found, ...images.flatMap((image) => sourceObstacles(subject, image))];
}

function dataFileOf({ dataFile }: DiskSource): DiskSource[] {
  return dataFile === null ? [] : [dataFile];
}

function sourceObstacles(subject: string, { type, path, pool, volume }: DiskSource): Obstacle[] {
  if (type === "file" || type === "block" || type === "network") return [];
  if (type === "volume") {
    const reason = "is a volume of a storage pool, which the destination's libvirt must have too";
    return [obstacle(["depends", "storage-pool"], subject, reason, { pool, volume })];
  }
  const reason = reasons[type] ?? "is of a type of storage that cannot be moved";
  return [obstacle(["refused", "storage-type"], subject, reason, { type, path })];
}

const reasons: Record<string, string> = {
  dir: "is a folder of the host, shown as a file system",
  nvme: "is an NVMe device of the host",
  vhostuser: "belongs to another program (vhost-user), whose state does not migrate",
  vhostvdpa: "is a vDPA device of the host",
};
