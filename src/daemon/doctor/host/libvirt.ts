import { access, constants, readFile } from "node:fs/promises";
import { versionText } from "../../../hypervisor/libvirt/rpc/handshake.ts";
import {
  connectGetCapabilities,
  connectGetVersion,
} from "../../../hypervisor/libvirt/rpc/procedures/connect.ts";
import { createLogger } from "../../../platform/log.ts";
import { openLibvirt } from "../../adoption/domains/open-libvirt.ts";
import type { DaemonConfig } from "../../config.ts";
import type { DoctorCheck } from "../../services.ts";
import { attempt, fail, ok, type Topic, warn } from "../check.ts";
import { findCertificates, judgeStreamCertificates, qemuConfPath } from "./libvirt-certificates.ts";

export const libvirtTopic: Topic = {
  id: "libvirt",
  why: "Guests of libvirt's are moved through its socket.",
};

const certificatesTopic: Topic = {
  id: "libvirt-certificates",
  why: "Streams of libvirt's guests are protected with certificates of its own, which QEMU reads as libvirt's qemu.conf says.",
};

const hookTopic: Topic = {
  id: "libvirt-hook",
  why: "Through it libvirt asks before it starts a guest here that runs elsewhere, and tells of migrations that others begin.",
};

/** Where `sojourn libvirt install-hooks` puts it. */
const hookPath = "/etc/libvirt/hooks/qemu.d/sojourn";

const leastMajor = 6;

/** What libvirt's guests need on this host; nothing where it takes in none. */
export async function checkLibvirt(config: DaemonConfig): Promise<DoctorCheck[]> {
  if (config.libvirt === null) return [];
  const reached = await attempt(libvirtTopic, async () => {
    await using connection = await openLibvirt(config, createLogger("silent"));
    const { version } = await connection.call(connectGetVersion, {});
    const { capabilities } = await connection.call(connectGetCapabilities, {});
    const kvm = /<domain type=['"]kvm['"]/.test(capabilities) ? "KVM" : "software emulation";
    const qemu = `${versionText(version)} (${kvm})`;
    return judgeLibvirt(connection.facts.version, qemu, connection.path);
  });
  reached.push(await checkHook(hookPath));
  if (!config.libvirt.tls) return reached;
  const certificates = await attempt(certificatesTopic, async () => {
    const text = await readFile(qemuConfPath, "utf8").catch(() => "");
    const found = await findCertificates(text);
    return judgeStreamCertificates(certificatesTopic, config.host.name, found);
  });
  return [...reached, ...certificates];
}

/** Whether libvirt has a hook of ours to call. */
export async function checkHook(path: string): Promise<DoctorCheck> {
  const isThere = await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (isThere) return ok(hookTopic, path);
  return warn(hookTopic, `there is no ${path}`, {
    ...{ mend: "sojourn libvirt install-hooks", hint: "then reload libvirtd, or virtqemud" },
  });
}

/** Pure. */
export function judgeLibvirt(libvirt: string, qemu: string, socket: string): DoctorCheck {
  const detail = `libvirt ${libvirt} with QEMU ${qemu} at ${socket}`;
  if (Number(libvirt.split(".")[0]) < leastMajor) {
    return fail(libvirtTopic, detail, { hint: `libvirt ${leastMajor}.0 or newer is needed` });
  }
  if (/^[0-4]\./.test(qemu)) return warn(libvirtTopic, detail, { hint: "install a newer QEMU" });
  return ok(libvirtTopic, detail);
}
