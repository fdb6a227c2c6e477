import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { HostHypervisors } from "../hypervisor/host-hypervisors.ts";
import { createLibvirtHypervisor } from "../hypervisor/libvirt/driver/driver.ts";
import type { LibvirtHypervisor } from "../hypervisor/libvirt/driver/libvirt-hypervisor.ts";
import { createQemuHypervisor } from "../hypervisor/qemu/qemu-hypervisor.ts";
import type { StreamTls } from "../hypervisor/qemu/stream-tls.ts";
import type { Logger } from "../platform/log.ts";
import type { DaemonConfig } from "./config.ts";
import { isStreamProtected } from "./procedures.ts";
import { layOutStreamCredentials } from "./stream-credentials.ts";

export interface OpenedHypervisors {
  hypervisor: HostHypervisors;
  /** Null on hosts that have nothing to do with libvirt. */
  libvirt: LibvirtHypervisor | null;
}

/** What runs this host's guests, as its configuration says. Nothing is started, and nobody is asked yet. */
export async function openHypervisors(
  config: DaemonConfig,
  logger: Logger,
): Promise<OpenedHypervisors> {
  const { host, paths, migration } = config;
  const qemu = createQemuHypervisor({
    ...{ runDir: paths.run, logger },
    tls: await streamTls(config),
    ports: migration.ports,
  });
  const libvirt = openLibvirt(config, logger);
  const takesDomains = config.libvirt !== null;
  return {
    hypervisor: new HostHypervisors({ host: host.name, qemu, libvirt, takesDomains }),
    libvirt,
  };
}

function openLibvirt(config: DaemonConfig, logger: Logger): LibvirtHypervisor | null {
  const { paths, migration, libvirt } = config;
  if (libvirt === null) {
    if (!hasDomains(paths.run)) return null;
    // Without it they would seem to have ended, and their network would be taken from them.
    logger.warn(
      "[libvirt] is off, and libvirt still runs guests of this host: they are kept until they end or leave",
    );
  }
  const sockets = libvirt?.sockets ?? null;
  return createLibvirtHypervisor({
    ...{ runDir: paths.run, logger, ports: migration.ports },
    stream: { tls: isStreamProtected(config, "libvirt") },
    ...(sockets === null ? {} : { sockets }),
  });
}

/** Whether an earlier daemon has left records of domains that were guests (`LibvirtHypervisorOptions.runDir`). */
function hasDomains(runDir: string): boolean {
  const folder = join(runDir, "libvirt");
  return existsSync(folder) && readdirSync(folder).some((name) => name.endsWith(".json"));
}

async function streamTls(config: DaemonConfig): Promise<StreamTls | null> {
  if (!config.migration.tls) return null;
  const folder = join(config.paths.run, "stream-tls");
  await layOutStreamCredentials(folder, config.peerApi);
  return { folder };
}
