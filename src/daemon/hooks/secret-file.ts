import { X509Certificate } from "node:crypto";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { preconditionError, usageError } from "../../platform/errors.ts";
import { keyOfSecret } from "./signature.ts";

const longestFileBytes = 100_000;

/**
 * The key in a secret's file.
 * @throws SojournError `SOJ_HOOK_SECRET_FILE` when it cannot be read, or others than root (or this process's user) may,
 * `SOJ_HOOK_SECRET_INVALID`.
 */
export async function readSecretFile(path: string): Promise<Buffer> {
  return keyOfSecret(await readSmallFile(path, true));
}

/** @throws SojournError `SOJ_HOOK_CA_FILE` when it cannot be read, `SOJ_HOOK_CA_INVALID`. */
export async function readCertificates(path: string): Promise<string> {
  return checkCertificates(await readSmallFile(path, false));
}

/** @throws SojournError `SOJ_HOOK_CA_INVALID` unless it holds certificates. */
export function checkCertificates(pem: string): string {
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  try {
    for (const certificate of certificates ?? []) new X509Certificate(certificate);
    if (certificates !== null) return pem;
  } catch {
    // Told below.
  }
  throw usageError(
    "what is to be trusted holds no certificates, or broken ones",
    "certificates in PEM form: -----BEGIN CERTIFICATE----- …",
    "SOJ_HOOK_CA_INVALID",
  );
}

async function readSmallFile(path: string, isSecret: boolean): Promise<string> {
  const fail = (reason: string, hint: string) =>
    preconditionError(
      isSecret ? "SOJ_HOOK_SECRET_FILE" : "SOJ_HOOK_CA_FILE",
      `${path} is unusable: ${reason}`,
      { hint },
    );
  try {
    // A pipe would hold one of the few threads for files until somebody writes into it.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const facts = await file.stat();
    if (!facts.isFile()) throw fail("it is no file", "name a regular file");
    if (isSecret && facts.uid !== 0 && facts.uid !== process.geteuid?.()) {
      throw fail(`it belongs to user ${facts.uid}`, `chown root ${path}`);
    }
    if (isSecret && (facts.mode & 0o077) !== 0) {
      throw fail("others than its owner may use it", `chmod 0600 ${path}`);
    }
    if (facts.size > longestFileBytes) throw fail("it is too long", "one secret, or certificates");
    return await file.readFile("utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith("SOJ_")) throw error;
    throw fail(code ?? String(error), "the daemon must be able to read it");
  }
}
