import { access, constants } from "node:fs/promises";
import type { GuestDefinition } from "../../hypervisor/definition.ts";
import type { AdoptingHypervisor } from "../../hypervisor/hypervisor.ts";
import { asSojournError } from "../../platform/errors.ts";
import { filesOf } from "../doctor/files/guests.ts";
import { readHostCpu } from "./host-cpu.ts";
import type { HostRehearsal } from "./procedures.ts";

/** Makes the guest's machine on this host, empty, for a moment, and looks for what it needs besides. */
export async function rehearseHere(
  hypervisor: AdoptingHypervisor,
  definition: GuestDefinition,
): Promise<HostRehearsal> {
  const missing: string[] = [];
  for (const path of new Set(filesOf(definition))) {
    if (!(await canUse(path, constants.R_OK))) missing.push(path);
  }
  const version = await hypervisor.capabilities().then(
    (capabilities) => capabilities.version,
    () => null,
  );
  const facts = {
    qemu_version: version,
    cpu: await readHostCpu(),
    has_vhost_net: await canUse("/dev/vhost-net", constants.R_OK | constants.W_OK),
    missing_files: missing.slice(0, 64),
  };
  // QEMU would say the same of the first of them only.
  if (missing.length > 0) return { ...facts, devices: null, failure: null };
  try {
    const devices = await hypervisor.rehearse(definition);
    return { ...facts, devices: devices.slice(0, 5_000), failure: null };
  } catch (error) {
    return { ...facts, devices: null, failure: asSojournError(error).message.slice(0, 4_000) };
  }
}

/** Whether this process may use a file so (access(2)). */
export function canUse(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
