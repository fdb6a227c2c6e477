import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { wallClockMs } from "../../platform/clock.ts";
import type { DaemonConfig } from "../config.ts";
import { hostNameOf } from "../peer-identity.ts";
import { readTlsFiles } from "../peer-server.ts";
import type { DoctorCheck } from "../services.ts";
import { attempt, fail, ok, warn } from "./check.ts";

/** What the configuration says about this host: does it hold? */
export async function checkIdentity(config: DaemonConfig): Promise<DoctorCheck[]> {
  return [
    ...(await attempt("underlay", async () => checkAddress(config.host.underlayAddress))),
    ...(await attempt("bridges", async () => checkBridges(config))),
    ...(await attempt("certificate", () => checkCertificate(config))),
  ];
}

function checkAddress(address: string): DoctorCheck {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  if (addresses.some((one) => one.address === address)) {
    return ok("underlay", `${address} is an address of this host`);
  }
  const hint = "correct underlay_address under [host], or configure the address";
  return fail("underlay", `${address} is not an address of this host`, hint);
}

async function checkBridges(config: DaemonConfig): Promise<DoctorCheck[]> {
  const lines = await readFile("/proc/net/dev", "utf8");
  const devices = new Set([...lines.matchAll(/^\s*([^\s:]+):/gm)].map((match) => match[1]));
  return config.guestNetworks.map(({ bridge, subnet }) => {
    const name = `bridge ${bridge}`;
    if (devices.has(bridge)) return ok(name, `for ${subnet}`);
    return fail(name, `does not exist (for ${subnet})`, `ip link add ${bridge} type bridge`);
  });
}

async function checkCertificate(config: DaemonConfig): Promise<DoctorCheck> {
  const certificate = new X509Certificate((await readTlsFiles(config.peerApi)).cert);
  const name = hostNameOf(certificate.subjectAltName);
  const hint = "sojourn pki issue NAME --address IP --dir CA-FOLDER --out FOLDER";
  if (name !== config.host.name) {
    return fail("certificate", `names ${name ?? "no host"}, not ${config.host.name}`, hint);
  }
  if (config.migration.tls && certificate.subject !== `CN=${name}`) {
    const detail = `its subject is not CN=${name} alone: other hosts take no guest from this one`;
    return fail("certificate", detail, hint);
  }
  const daysLeft = (Date.parse(certificate.validTo) - wallClockMs()) / 86_400_000;
  if (daysLeft <= 0) return fail("certificate", `ended on ${certificate.validTo}`, hint);
  if (Date.parse(certificate.validFrom) > wallClockMs()) {
    return fail("certificate", `begins on ${certificate.validFrom}`, "set this host's clock");
  }
  if (daysLeft < 30) return warn("certificate", `ends on ${certificate.validTo}`, hint);
  return ok("certificate", `names ${name}, ends on ${certificate.validTo}`);
}
