import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import {
  hasArgument,
  identifyProcess,
  type ProcessIdentity,
} from "../../../platform/process-identity.ts";

/**
 * A domain's QEMU, from the file that libvirt keeps beside its socket; null when it is not known, as where libvirt's
 * processes are numbered otherwise than here.
 */
export function domainProcess(
  socketPath: string | null,
  domain: { name: string; uuid: string },
): ProcessIdentity | null {
  if (socketPath === null || domain.name.includes("/")) return null;
  try {
    const text = readFileSync(`${dirname(socketPath)}/qemu/${domain.name}.pid`, "utf8");
    const pid = Number(text.trim());
    if (!Number.isSafeInteger(pid) || pid <= 0 || !hasArgument(pid, domain.uuid)) return null;
    return identifyProcess(pid);
  } catch {
    return null;
  }
}
