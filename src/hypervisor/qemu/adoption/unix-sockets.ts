import { statSync } from "node:fs";
import { runCommand } from "../../../platform/command.ts";
import { deviceNumber } from "../../../platform/device-number.ts";

/** A listening unix socket of a network namespace. */
export interface ListeningSocket {
  /** Of the socket, as descriptors of it are shown. */
  inode: number;
  /** As it was bound: absolute, or relative to the binder's folder of then. */
  path: string;
  /** Which file stands for it, however that is called: device and inode, as ss writes them. */
  file: string;
}

/** The listening unix sockets of this network namespace that have a path (sock_diag(7), UNIX_DIAG_VFS; ss(8)). */
export async function readListeningSockets(): Promise<ListeningSocket[]> {
  const { stdout } = await runCommand("ss", ["-x", "-l", "-e", "-n", "-H"]);
  return listeningSockets(stdout);
}

/** Pure. */
export function listeningSockets(text: string): ListeningSocket[] {
  return text.split("\n").flatMap((line) => {
    const match = shape.exec(line);
    if (match === null) return [];
    const [, path = "", inode, file, major, minor] = match;
    return [{ inode: Number(inode), path, file: `${major}:${minor}:${file}` }];
  });
}

/** Whether the file at that path stands for the socket; false where there is none. */
export function isSocketAt(path: string, { file }: ListeningSocket): boolean {
  const status = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (status === undefined) return false;
  const { major, minor } = deviceNumber(status.dev);
  // The kernel tells its own form of a device's number (MKDEV), which ss reads as the C library's.
  const misread = deviceNumber((major << 20n) | minor);
  return [{ major, minor }, misread].some(
    (device) => file === `${device.major}:${device.minor}:${status.ino}`,
  );
}

const shape = /^u_\S+ +LISTEN +\d+ +\d+ +(\S.*?) (\d+) +\* 0 .*\bino:(\d+) dev:(\d+)\/(\d+)/;
