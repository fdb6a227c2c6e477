import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { wallClockMs } from "../platform/clock.ts";
import { runCommand } from "../platform/command.ts";

const dayMs = 86_400_000;

/** A host whose clock is behind must take a certificate that was made just now. */
const backdatedMs = dayMs;

export interface Signing {
  /** A private folder of this one signature. */
  scratch: string;
  requestPath: string;
  /** File with the section `extensions`. */
  profilePath: string;
  /** The authority that signs; null for one that signs itself. */
  caPath: string | null;
  /** The key that signs. */
  keyPath: string;
  validityDays: number;
  outPath: string;
}

/**
 * Signs a certificate that is valid from a day ago (openssl-ca(1), which unlike openssl-x509(1) before 3.4 takes a
 * first day). The request's own extensions are not copied.
 * @throws CommandError with openssl's own words.
 */
export async function signCertificate(signing: Signing): Promise<void> {
  const { scratch, requestPath, profilePath, caPath, keyPath, validityDays, outPath } = signing;
  const configPath = join(scratch, "signing.cnf");
  const database = join(scratch, "index.txt");
  const serial = join(scratch, "serial");
  await writeFile(database, "");
  await writeFile(serial, `${serialNumber()}\n`);
  await writeFile(configPath, `${signingConfiguration(database, serial).join("\n")}\n`);
  const nowMs = wallClockMs();
  await openssl([
    ...["ca", "-batch", "-notext", "-config", configPath, "-outdir", scratch],
    ...["-in", requestPath, "-out", outPath, "-keyfile", keyPath, "-md", "sha256"],
    ...(caPath === null ? ["-selfsign"] : ["-cert", caPath]),
    ...["-startdate", utcTime(nowMs - backdatedMs)],
    ...["-enddate", utcTime(nowMs + validityDays * dayMs)],
    ...["-extfile", profilePath, "-extensions", "extensions"],
  ]);
}

/** Runs openssl with a time-out. @throws CommandError. */
export async function openssl(args: readonly string[]): Promise<void> {
  await runCommand("openssl", args, { timeoutMs: 20_000 });
}

function signingConfiguration(database: string, serial: string): string[] {
  return [
    "[ca]",
    "default_ca = signing",
    "[signing]",
    `database = ${escaped(database)}`,
    `serial = ${escaped(serial)}`,
    "policy = subject",
    "[subject]",
    "commonName = supplied",
  ];
}

/** In a configuration file of openssl (config(5)). */
function escaped(path: string): string {
  return path.replaceAll(/[\\$#"']/g, "\\$&");
}

/** Positive and at most 20 octets (RFC 5280, 4.1.2.2). */
function serialNumber(): string {
  const octets = randomBytes(16);
  octets[0] = ((octets[0] ?? 0) & 0x7f) | 0x40;
  return octets.toString("hex").toUpperCase();
}

/** RFC 5280, 4.1.2.5.2, as openssl-ca(1) takes it: YYYYMMDDHHMMSSZ. */
function utcTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:T]/g, "")}Z`;
}
