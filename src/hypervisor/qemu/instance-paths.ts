import { randomBytes } from "node:crypto";
import { preconditionError } from "../../platform/errors.ts";

/** Where one process keeps its files. */
export interface InstancePaths {
  folder: string;
  record: string;
  monitor: string;
  console: string;
  log: string;
  pidFile: string;
}

/** sizeof(sockaddr_un.sun_path) − 1: unix(7). */
const maxSocketPathBytes = 107;

export function newInstanceId(): string {
  return randomBytes(4).toString("hex");
}

export function isInstanceId(text: string): boolean {
  return /^[0-9a-f]{8}$/.test(text);
}

/** Folder of all processes of one guest. */
export function guestFolder(runDir: string, guest: string): string {
  return `${runDir}/guests/${guest}`;
}

/** @throws SojournError `SOJ_PATH_TOO_LONG` when the monitor's socket would not fit into an address. */
export function instancePaths(runDir: string, guest: string, instanceId: string): InstancePaths {
  const folder = `${guestFolder(runDir, guest)}/${instanceId}`;
  const monitor = `${folder}/qmp.sock`;
  if (Buffer.byteLength(monitor) > maxSocketPathBytes) {
    throw preconditionError(
      "SOJ_PATH_TOO_LONG",
      `${monitor} is longer than a unix socket's path may be (${maxSocketPathBytes} bytes)`,
      { hint: "choose a shorter run folder or guest name" },
    );
  }
  return {
    folder,
    monitor,
    record: `${folder}/instance.json`,
    console: `${folder}/console.log`,
    log: `${folder}/qemu.log`,
    pidFile: `${folder}/qemu.pid`,
  };
}
