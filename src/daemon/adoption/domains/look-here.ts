import { constants } from "node:fs/promises";
import { dirname } from "node:path";
import { type DomainNeeds, outlookFor } from "../../../hypervisor/libvirt/adoption/outlook.ts";
import type { LibvirtConnection } from "../../../hypervisor/libvirt/rpc/connection.ts";
import { readHostCpu } from "../host-cpu.ts";
import { canUse } from "../rehearse-here.ts";
import type { HostOutlook } from "./procedures.ts";

/** What this host has of what a domain needs. @throws what the connection throws */
export async function lookHere(
  connection: LibvirtConnection,
  needs: DomainNeeds,
): Promise<HostOutlook> {
  const missing: string[] = [];
  for (const { path, need } of needs.paths) {
    const isThere =
      need === "there"
        ? await canUse(path, constants.R_OK)
        : await canUse(dirname(path), constants.W_OK | constants.X_OK);
    if (!isThere) missing.push(path);
  }
  const outlook = await outlookFor(connection, needs);
  return {
    libvirt_version: outlook.libvirtVersion,
    qemu_version: outlook.qemuVersion,
    cpu: await readHostCpu(),
    namesakes: outlook.namesakes.map(({ name, uuid, isActive }) => ({
      ...{ name: name.slice(0, 256), uuid, is_active: isActive },
    })),
    missing_paths: missing,
    machine_refusal: outlook.machineRefusal?.slice(0, 4_000) ?? null,
    cpu_refusal: outlook.cpuRefusal?.slice(0, 4_000) ?? null,
  };
}
