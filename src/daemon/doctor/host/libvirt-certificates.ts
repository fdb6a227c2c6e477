import { X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { wallClockMs } from "../../../platform/clock.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, type Topic, warn } from "../check.ts";

export const qemuConfPath = "/etc/libvirt/qemu.conf";

/** Where libvirt lets QEMU look for the certificates of migration streams, and what is there. */
export interface StreamCertificates {
  folder: string;
  /** Files that are not there or cannot be read, of those that a destination needs. */
  missing: string[];
  /** The same of those by which a source proves who it is. */
  missingOfClient: string[];
  /** The destination's; null where it is missing or none. */
  certificate: X509Certificate | null;
}

const ofServer = ["ca-cert.pem", "server-cert.pem", "server-key.pem"];
const ofClient = ["client-cert.pem", "client-key.pem"];

/** @param qemuConf text of qemu.conf */
export async function findCertificates(qemuConf: string): Promise<StreamCertificates> {
  const folder = await folderOf(qemuConf);
  const missing = await unreadable(folder, ofServer);
  const pem = await readFile(join(folder, "server-cert.pem"), "utf8").catch(() => null);
  return {
    ...{ folder, missing, missingOfClient: await unreadable(folder, ofClient) },
    certificate: certificateOf(pem),
  };
}

/** What qemu.conf says under a key that ends so; null where it says nothing. Pure. */
export function folderNamedIn(qemuConf: string, use: "migrate" | "default"): string | null {
  const line = new RegExp(`^\\s*${use}_tls_x509_cert_dir\\s*=\\s*(["'])(.+?)\\1`, "m");
  return line.exec(qemuConf)?.[2] ?? null;
}

/** Pure. */
export function judgeStreamCertificates(
  topic: Topic,
  host: string,
  { folder, missing, missingOfClient, certificate }: StreamCertificates,
): DoctorCheck {
  const hint = `put them there (docs/libvirt.md), or name another folder in ${qemuConfPath} (migrate_tls_x509_cert_dir); or have streams in clear, on all hosts: [libvirt] tls = false`;
  if (missing.length > 0) return fail(topic, `${folder} lacks ${missing.join(", ")}`, { hint });
  if (certificate === null) {
    return fail(topic, `${folder}/server-cert.pem is no certificate`, { hint });
  }
  const ends = new Date(certificate.validTo);
  if (ends.getTime() < wallClockMs()) {
    return fail(topic, `${folder}/server-cert.pem has ended, ${certificate.validTo}`, { hint });
  }
  if (certificate.checkHost(host, { subject: "always" }) === undefined) {
    return fail(topic, `${folder}/server-cert.pem does not name ${host}, as other hosts call it`, {
      hint: `issue one that has ${host} among its DNS names`,
    });
  }
  if (missingOfClient.length > 0) {
    return warn(topic, `${folder} lacks ${missingOfClient.join(", ")}`, {
      hint: "without them this host can send no guest to one that asks for a certificate (migrate_tls_x509_verify)",
    });
  }
  return ok(topic, `${folder}, until ${certificate.validTo}`);
}

/** In libvirt's own order: a folder of that name goes before the one that serves everything else of QEMU's. */
async function folderOf(qemuConf: string): Promise<string> {
  const named = folderNamedIn(qemuConf, "migrate");
  if (named !== null) return named;
  const own = "/etc/pki/libvirt-migrate";
  return (await isThere(own)) ? own : (folderNamedIn(qemuConf, "default") ?? "/etc/pki/qemu");
}

async function unreadable(folder: string, names: readonly string[]): Promise<string[]> {
  const found = await Promise.all(names.map((name) => isThere(join(folder, name))));
  return names.filter((_, index) => !found[index]);
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

function certificateOf(pem: string | null): X509Certificate | null {
  try {
    return pem === null ? null : new X509Certificate(pem);
  } catch {
    return null;
  }
}
