import { createPrivateKey, X509Certificate } from "node:crypto";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { wallClockMs } from "../../../platform/clock.ts";
import type { DaemonConfig } from "../../config.ts";
import { hostNameOf } from "../../peer-identity.ts";
import { readTlsFiles } from "../../peer-tls.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, type Topic, warn } from "../check.ts";

export const certificateTopic: Topic = {
  id: "certificate",
  why: "Hosts know one another by their certificates alone; with a wrong or ended one nobody talks to this host.",
};

const keyTopic: Topic = {
  id: "certificate-key",
  why: "Whoever can read the key can be this host towards all others.",
};

const authorityTopic: Topic = {
  id: "certificate-authority",
  why: "All hosts' certificates are worth nothing once their authority's own has ended.",
};

const warnDays = 30;

/** This host's certificate, key and authority. @throws SojournError `SOJ_PKI_UNREADABLE` naming the file. */
export async function checkCertificate(config: DaemonConfig): Promise<DoctorCheck[]> {
  const files = await readTlsFiles(config.peerApi);
  const certificate = new X509Certificate(files.cert);
  const authority = new X509Certificate(files.ca);
  const issue = issuing(config);
  return [
    judgeCertificate(config, certificate, authority, issue),
    await judgeKey(config.peerApi.keyPath, files.key, certificate, issue),
    judgeAuthority(authority),
  ];
}

/** The line that issues another one in its place, with the folder of the authority, which only its keeper knows. */
function issuing({ host, peerApi }: DaemonConfig): string {
  const folder = dirname(peerApi.certificatePath);
  return `sojourn pki issue ${host.name} --address ${host.underlayAddress} --dir CA-FOLDER --out ${folder}`;
}

function judgeCertificate(
  config: DaemonConfig,
  certificate: X509Certificate,
  authority: X509Certificate,
  issue: string,
): DoctorCheck {
  const remedy = {
    mend: issue,
    hint: "issue it where the authority's folder CA-FOLDER is, put the three files into place, restart the daemon",
  };
  const bad = (detail: string) => fail(certificateTopic, detail, remedy);
  const name = hostNameOf(certificate.subjectAltName);
  if (name !== config.host.name) return bad(`names ${name ?? "no host"}, not ${config.host.name}`);
  if (config.migration.tls && certificate.subject !== `CN=${name}`) {
    return bad(`its subject is not CN=${name} alone: other hosts take no guest from this one`);
  }
  if (!certificate.verify(authority.publicKey)) return bad("is not of the authority in ca");
  const days = daysLeft(certificate);
  if (days <= 0) return bad(`ended on ${certificate.validTo}`);
  if (Date.parse(certificate.validFrom) > wallClockMs()) {
    const hint = "set this host's clock";
    const mend = "systemctl restart systemd-timesyncd";
    return fail(certificateTopic, `begins on ${certificate.validFrom}`, { hint, mend });
  }
  const detail = `names ${name}, ends on ${certificate.validTo}`;
  return days < warnDays
    ? warn(certificateTopic, `ends on ${certificate.validTo}`, remedy)
    : ok(certificateTopic, detail);
}

async function judgeKey(
  path: string,
  key: Buffer,
  certificate: X509Certificate,
  issue: string,
): Promise<DoctorCheck> {
  if (!certificate.checkPrivateKey(createPrivateKey(key))) {
    return fail(keyTopic, `${path} is not the certificate's`, { mend: issue });
  }
  const mode = (await stat(path)).mode & 0o777;
  if ((mode & 0o077) === 0) return ok(keyTopic, "only its owner may read it");
  const mend = `chmod 600 ${path}`;
  return fail(keyTopic, `${path} has mode ${mode.toString(8)}: others may read it`, { mend });
}

function judgeAuthority(authority: X509Certificate): DoctorCheck {
  const days = daysLeft(authority);
  const remedy = {
    hint: "make a new authority, and issue every host's certificate again",
    mend: "sojourn pki init --dir NEW-CA-FOLDER",
  };
  if (days <= 0) return fail(authorityTopic, `ended on ${authority.validTo}`, remedy);
  if (days >= warnDays) return ok(authorityTopic, `ends on ${authority.validTo}`);
  return warn(authorityTopic, `ends on ${authority.validTo}`, remedy);
}

function daysLeft(certificate: X509Certificate): number {
  return (Date.parse(certificate.validTo) - wallClockMs()) / 86_400_000;
}
