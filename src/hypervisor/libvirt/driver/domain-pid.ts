import { readFileSync } from "node:fs";
import { dirname } from "node:path";

/** The number of a domain's QEMU, from the file that libvirt keeps beside its socket; 0 when it is not known. */
export function domainPid(socketPath: string | null, domainName: string): number {
  if (socketPath === null || domainName.includes("/")) return 0;
  try {
    const text = readFileSync(`${dirname(socketPath)}/qemu/${domainName}.pid`, "utf8");
    const pid = Number(text.trim());
    return Number.isSafeInteger(pid) && pid > 0 ? pid : 0;
  } catch {
    return 0;
  }
}
