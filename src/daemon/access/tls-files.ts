import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { preconditionError, reasonOf, type SojournError } from "../../platform/errors.ts";

/** Files of the API's listener; `clientCaPath` null when certificates of clients are not asked for. */
export interface ApiTlsFiles {
  certificatePath: string;
  keyPath: string;
  clientCaPath: string | null;
}

/**
 * Reads and tries what TLS needs, and nothing below 1.3.
 * @throws SojournError `SOJ_PKI_UNREADABLE` naming the file, `SOJ_PKI_INVALID` with OpenSSL's word: no certificate, or
 * a key of another one.
 */
export async function readApiTls(files: ApiTlsFiles): Promise<SecureContextOptions> {
  const { certificatePath, keyPath, clientCaPath } = files;
  const [cert, key] = await Promise.all([read(certificatePath), read(keyPath)]);
  const ca = clientCaPath === null ? {} : { ca: await read(clientCaPath) };
  const context: SecureContextOptions = { cert, key, ...ca, minVersion: "TLSv1.3" };
  try {
    createSecureContext(context);
  } catch (cause) {
    const paths = [certificatePath, keyPath, ...(clientCaPath === null ? [] : [clientCaPath])];
    throw invalid(`${paths.join(", ")}: ${reasonOf(cause)}`, cause);
  }
  return context;
}

const mostFileBytes = 1024 * 1024;

async function read(path: string): Promise<Buffer> {
  let content: Buffer;
  try {
    content = await readRegular(path);
  } catch (cause) {
    throw preconditionError("SOJ_PKI_UNREADABLE", `cannot read ${path}: ${reasonOf(cause)}`, {
      cause,
      hint: "certificate, key and client_ca in [api] of sojourn.toml name PEM files",
    });
  }
  // OpenSSL takes a file without any for an empty list.
  if (!content.includes("-----BEGIN ")) throw invalid(`${path} is not PEM`);
  return content;
}

/** A pipe that nobody writes into would keep changed tokens from being read, too. */
async function readRegular(path: string): Promise<Buffer> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const facts = await file.stat();
  if (!facts.isFile()) throw new Error("it is no file");
  if (facts.size > mostFileBytes) throw new Error(`it is longer than ${mostFileBytes} bytes`);
  return await file.readFile();
}

function invalid(message: string, cause?: unknown): SojournError {
  return preconditionError("SOJ_PKI_INVALID", message, {
    cause,
    hint: "certificate and key must belong together, both PEM",
  });
}
