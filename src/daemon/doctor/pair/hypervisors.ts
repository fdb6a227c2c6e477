import type { HypervisorKind } from "../../../hypervisor/hypervisor.ts";
import { versionText } from "../../../hypervisor/libvirt/rpc/handshake.ts";
import { connectGetVersion } from "../../../hypervisor/libvirt/rpc/procedures/connect.ts";
import { chooseAccelerator } from "../../../hypervisor/qemu/accelerator.ts";
import { qemuFacts } from "../../../hypervisor/qemu/qemu-facts.ts";
import { SojournError } from "../../../platform/errors.ts";
import { createLogger } from "../../../platform/log.ts";
import { openLibvirt } from "../../adoption/domains/open-libvirt.ts";
import type { DaemonConfig } from "../../config.ts";
import { checkHypervisorsMatch } from "../../hypervisor-match.ts";
import type { DoctorCheck } from "../../services.ts";
import { attempt, fail, ok, type Topic, warn } from "../check.ts";
import type { PairPeer } from "./peer.ts";

/** Whether a guest that runs here can go on there. @throws SojournError when either host has no usable QEMU. */
export async function judgeHypervisors(config: DaemonConfig, peer: PairPeer): Promise<DoctorCheck> {
  const { version, kvm } = await qemuFacts()();
  const theirs = await peer.call("hypervisor", {});
  const here = {
    host: config.host.name,
    version: version.text,
    accelerator: chooseAccelerator("auto", kvm, version),
    streamTls: config.migration.tls,
  };
  const there = { host: peer.peer, ...theirs, streamTls: theirs.stream_tls };
  return compareHypervisors(here, there);
}

/** Whether a guest of libvirt's that runs here can go on there; nothing where this host has none. */
export async function judgeLibvirts(config: DaemonConfig, peer: PairPeer): Promise<DoctorCheck[]> {
  const { host, libvirt } = config;
  if (libvirt === null) return [];
  const topic: Topic = {
    ...{ id: "peer-libvirt", subject: peer.peer },
    why: "Guests of libvirt's go only to hosts whose daemons take them in, with streams protected alike.",
  };
  return await attempt(
    topic,
    async () => {
      const theirs = await peer.call("hypervisor", { kind: "libvirt" });
      await using connection = await openLibvirt(config, createLogger("silent"));
      const { version: number } = await connection.call(connectGetVersion, {});
      const version = versionText(number);
      // Each domain says itself how it is accelerated.
      const { accelerator } = theirs;
      const here = { host: host.name, version, accelerator, streamTls: libvirt.tls };
      const there = { host: peer.peer, ...theirs, streamTls: theirs.stream_tls };
      return compareHypervisors(here, there, topic, "libvirt");
    },
    "warn",
  );
}

type Facts = Parameters<typeof checkHypervisorsMatch>[1];

/** Pure. */
export function compareHypervisors(
  here: Facts,
  there: Facts,
  topic = hypervisorTopic(there.host),
  kind?: HypervisorKind,
): DoctorCheck {
  const versions = `QEMU ${here.version} (${here.accelerator}) here, ${there.version} (${there.accelerator}) there`;
  try {
    const guest = { name: "a guest", accelerator: "auto", hypervisor: kind } as const;
    checkHypervisorsMatch(guest, here, there);
  } catch (error) {
    if (!(error instanceof SojournError)) throw error;
    return fail(topic, error.message, { hint: error.hint });
  }
  if (majorOf(here.version) === majorOf(there.version)) return ok(topic, versions);
  return warn(topic, versions, {
    hint: "guests go to the newer one; whether they come back, their machine type decides: run the same version on both",
    mend: "apt-get install --only-upgrade qemu-system-x86  # on the older",
  });
}

const hypervisorTopic = (host: string): Topic => ({
  ...{ id: "peer-hypervisor", subject: host },
  why: "A guest's state means something only to a hypervisor of the same kind, and not to an older one.",
});

function majorOf(version: string): string {
  return /^\d+\.\d+/.exec(version)?.[0] ?? version;
}
