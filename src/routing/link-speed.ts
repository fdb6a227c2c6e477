import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { toBytesPerSecond } from "../platform/rates.ts";

/** One entry for each device of this network namespace. */
const devicesFolder = "/sys/class/net";

/** Devices that stand on others stand on few: a VLAN on a bond on its ports. */
const deepestStack = 4;

/**
 * Bytes per second that the hardware behind a device carries; null for one without hardware, whose speed is made up (a
 * pair of veths has 10 Gbit/s), and where the hardware does not say (virtio: -1). Source:
 * Documentation/ABI/testing/sysfs-class-net, `speed`, in Mbit/s.
 */
export async function readLinkSpeed(
  device: string,
  folder = devicesFolder,
): Promise<number | null> {
  if (!(await isHardware(device, folder, deepestStack))) return null;
  const text = await readFile(join(folder, device, "speed"), "utf8").catch(() => "");
  const mbps = /^[1-9][0-9]{0,7}\n?$/.test(text) ? Number(text) : 0;
  // Where the driver does not know it: SPEED_UNKNOWN, as an unsigned number in older kernels.
  return mbps > 0 ? toBytesPerSecond(mbps) : null;
}

/** Whether the device is a machine's, or stands on one that is (a VLAN, a bond, a bridge with such a port). */
async function isHardware(device: string, folder: string, deepest: number): Promise<boolean> {
  const path = join(folder, device);
  const found = await stat(join(path, "device")).catch(() => null);
  if (found !== null) return true;
  if (deepest === 0) return false;
  const names = await readdir(path).catch(() => []);
  const lower = names.filter((name) => name.startsWith("lower_"));
  for (const name of lower) {
    if (await isHardware(name.slice("lower_".length), folder, deepest - 1)) return true;
  }
  return false;
}
