import { libvirtDisabledError } from "../../../hypervisor/host-hypervisors.ts";
import { LibvirtConnection } from "../../../hypervisor/libvirt/rpc/connection.ts";
import type { Logger } from "../../../platform/log.ts";
import type { DaemonConfig } from "../../config.ts";

/** A connection of its own to this host's libvirt. @throws SojournError `SOJ_LIBVIRT_DISABLED`; as `LibvirtConnection.open` */
export async function openLibvirt(
  { host, libvirt }: Pick<DaemonConfig, "host" | "libvirt">,
  logger: Logger,
): Promise<LibvirtConnection> {
  if (libvirt === null) throw libvirtDisabledError(host.name);
  const { sockets } = libvirt;
  return await LibvirtConnection.open({ logger, ...(sockets === null ? {} : { sockets }) });
}
