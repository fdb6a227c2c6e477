import { chooseAccelerator } from "../../../hypervisor/qemu/accelerator.ts";
import { qemuFacts } from "../../../hypervisor/qemu/qemu-facts.ts";
import { SojournError } from "../../../platform/errors.ts";
import type { DaemonConfig } from "../../config.ts";
import { checkHypervisorsMatch } from "../../hypervisor-match.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, type Topic, warn } from "../check.ts";
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

type Facts = Parameters<typeof checkHypervisorsMatch>[1];

/** Pure. */
export function compareHypervisors(here: Facts, there: Facts): DoctorCheck {
  const topic: Topic = {
    ...{ id: "peer-hypervisor", subject: there.host },
    why: "A guest's state means something only to a hypervisor of the same kind, and not to an older one.",
  };
  const versions = `QEMU ${here.version} (${here.accelerator}) here, ${there.version} (${there.accelerator}) there`;
  try {
    checkHypervisorsMatch({ name: "a guest", accelerator: "auto" }, here, there);
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

function majorOf(version: string): string {
  return /^\d+\.\d+/.exec(version)?.[0] ?? version;
}
