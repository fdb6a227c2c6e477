import { chmod, copyFile, mkdir, mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { preconditionError } from "../platform/errors.ts";
import { checkIPv4, checkName } from "../platform/names.ts";
import { clientIdentityUri } from "./access/client-identity.ts";
import { hostIdentityUri } from "./peer-identity.ts";
import { openssl, signCertificate } from "./pki-signing.ts";

export interface CertificateAuthority {
  caPath: string;
  keyPath: string;
}

export interface InitialisedAuthority extends CertificateAuthority {
  /** False for one that was there, and is kept. */
  isNew: boolean;
}

export interface IssuedCertificate {
  caPath: string;
  certificatePath: string;
  keyPath: string;
}

export interface CertificateOrder {
  name: string;
  /** Where the three files go; by default `DIR/hosts/NAME` or `DIR/clients/NAME`. */
  outDir?: string;
  validityDays?: number;
}

export interface HostIdentity extends CertificateOrder {
  /** Becomes the URI SAN `sojourn://host/NAME`. */
  name: string;
  /** IPv4 addresses for the IP SANs. */
  addresses: readonly string[];
}

/**
 * Makes a certificate authority (EC P-256) in `dir`: `ca.crt` and `ca.key` (0600). An existing one is kept.
 * @throws SojournError `SOJ_PKI_INCOMPLETE` when only one of the two files is there.
 */
export async function initCertificateAuthority(dir: string): Promise<InitialisedAuthority> {
  const authority = { caPath: join(dir, "ca.crt"), keyPath: join(dir, "ca.key") };
  const present = await Promise.all([exists(authority.caPath), exists(authority.keyPath)]);
  if (present.every(Boolean)) return { ...authority, isNew: false };
  if (present.some(Boolean)) {
    throw preconditionError("SOJ_PKI_INCOMPLETE", `${dir} holds only one of ca.crt and ca.key`, {
      hint: "restore the missing file, or begin with an empty folder",
    });
  }
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await inScratchFolder(dir, async (scratch) => {
    const key = await generateKey(scratch);
    const certificate = join(scratch, "ca.crt");
    const profile = await authorityProfile(scratch);
    await signCertificate({
      ...{ scratch, profilePath: profile, outPath: certificate },
      requestPath: await requestFor(scratch, profile, key),
      ...{ caPath: null, keyPath: key, validityDays: 3650 },
    });
    await publish(key, authority.keyPath, 0o600);
    await publish(certificate, authority.caPath, 0o644);
  });
  return { ...authority, isNew: true };
}

/**
 * Issues a host's key and certificate, signed by the authority in `dir`, for both ends of TLS.
 * The authority's key stays where it is; the host needs the three returned files only.
 * @throws SojournError `SOJ_PKI_NO_AUTHORITY`, `SOJ_BAD_NAME`, `SOJ_BAD_ADDRESS`.
 */
export async function issueHostCertificate(
  dir: string,
  identity: HostIdentity,
): Promise<IssuedCertificate> {
  const name = checkName("host", identity.name);
  const addresses = identity.addresses.map((address) => checkIPv4("certificate", address));
  return issue(dir, "host", { ...identity, profile: hostProfile(name, addresses) });
}

/**
 * Issues the key and certificate of a client of the HTTP API, signed by the authority in `dir`. It says who the client
 * is; what it may do is said by each host's configuration.
 * @throws SojournError `SOJ_PKI_NO_AUTHORITY`, `SOJ_BAD_NAME`.
 */
export async function issueClientCertificate(
  dir: string,
  identity: CertificateOrder,
): Promise<IssuedCertificate> {
  const name = checkName("client", identity.name);
  return issue(dir, "client", { ...identity, profile: clientProfile(name) });
}

async function issue(
  dir: string,
  kind: "host" | "client",
  order: CertificateOrder & { profile: readonly string[] },
): Promise<IssuedCertificate> {
  const authority = await existingAuthority(dir);
  const outDir = order.outDir ?? join(dir, `${kind}s`, order.name);
  const result = {
    caPath: join(outDir, "ca.crt"),
    certificatePath: join(outDir, `${kind}.crt`),
    keyPath: join(outDir, `${kind}.key`),
  };
  await mkdir(outDir, { recursive: true, mode: 0o700 });
  await inScratchFolder(outDir, async (scratch) => {
    const key = await generateKey(scratch);
    const certificate = join(scratch, "new.crt");
    const ca = join(scratch, "ca.crt");
    const profile = await writeProfile(scratch, order.name, order.profile);
    await signCertificate({
      ...{ scratch, profilePath: profile, outPath: certificate },
      requestPath: await requestFor(scratch, profile, key),
      ...{ caPath: authority.caPath, keyPath: authority.keyPath },
      validityDays: order.validityDays ?? 825,
    });
    await copyFile(authority.caPath, ca);
    await publish(key, result.keyPath, 0o600);
    await publish(certificate, result.certificatePath, 0o644);
    await publish(ca, result.caPath, 0o644);
  });
  return result;
}

async function existingAuthority(dir: string): Promise<CertificateAuthority> {
  const authority = { caPath: join(dir, "ca.crt"), keyPath: join(dir, "ca.key") };
  if ((await exists(authority.caPath)) && (await exists(authority.keyPath))) return authority;
  throw preconditionError("SOJ_PKI_NO_AUTHORITY", `${dir} holds no certificate authority`, {
    hint: `sojourn pki init --dir ${dir}`,
  });
}

async function generateKey(scratch: string): Promise<string> {
  const path = join(scratch, "new.key");
  await openssl([
    "genpkey",
    "-algorithm",
    "EC",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-out",
    path,
  ]);
  return path;
}

async function requestFor(scratch: string, profile: string, key: string): Promise<string> {
  const path = join(scratch, "request.csr");
  await openssl(["req", "-new", "-config", profile, "-key", key, "-sha256", "-out", path]);
  return path;
}

function authorityProfile(scratch: string): Promise<string> {
  return writeProfile(scratch, "Sojourn certificate authority", [
    "basicConstraints = critical, CA:TRUE, pathlen:0",
    "keyUsage = critical, keyCertSign, cRLSign",
    "subjectKeyIdentifier = hash",
  ]);
}

function hostProfile(name: string, addresses: readonly string[]): string[] {
  const names = [
    `URI:${hostIdentityUri(name)}`,
    // QEMU knows the host that it sends a guest to by this one.
    `DNS:${name}`,
    ...addresses.map((address) => `IP:${address}`),
  ];
  return leafProfile("serverAuth, clientAuth", names);
}

function clientProfile(name: string): string[] {
  return leafProfile("clientAuth", [`URI:${clientIdentityUri(name)}`]);
}

function leafProfile(usage: string, names: readonly string[]): string[] {
  return [
    "basicConstraints = critical, CA:FALSE",
    // QEMU before 10.0.7 refuses a critical one without keyEncipherment, which a key on a curve must not have
    // (RFC 8813, 3).
    "keyUsage = digitalSignature",
    `extendedKeyUsage = ${usage}`,
    "subjectKeyIdentifier = hash",
    `subjectAltName = ${names.join(", ")}`,
  ];
}

async function writeProfile(
  scratch: string,
  commonName: string,
  extensions: readonly string[],
): Promise<string> {
  const path = join(scratch, "profile.cnf");
  const lines = [
    "[req]",
    "prompt = no",
    "distinguished_name = subject",
    "[subject]",
    `commonName = ${commonName}`,
    "[extensions]",
    ...extensions,
  ];
  await writeFile(path, `${lines.join("\n")}\n`);
  return path;
}

/** Half-made files, keys above all, are only ever in a private folder that is removed again. */
async function inScratchFolder(dir: string, work: (scratch: string) => Promise<void>) {
  const scratch = await mkdtemp(join(dir, ".new-"));
  try {
    await work(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function publish(from: string, to: string, mode: number): Promise<void> {
  await chmod(from, mode);
  await rename(from, to);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
