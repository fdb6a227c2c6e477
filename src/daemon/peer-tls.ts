import { readFile } from "node:fs/promises";
import { preconditionError, reasonOf } from "../platform/errors.ts";

/** What one end of a connection between hosts needs, PEM. */
export interface TlsFiles {
  caPath: string;
  certificatePath: string;
  keyPath: string;
}

/** @throws SojournError `SOJ_PKI_UNREADABLE` naming the file. */
export async function readTlsFiles(
  files: TlsFiles,
): Promise<{ ca: Buffer; cert: Buffer; key: Buffer }> {
  const [ca, cert, key] = await Promise.all([
    readPem(files.caPath),
    readPem(files.certificatePath),
    readPem(files.keyPath),
  ]);
  return { ca, cert, key };
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw preconditionError("SOJ_PKI_UNREADABLE", `cannot read ${path}: ${reasonOf(cause)}`, {
      cause,
      hint: "sojourn pki issue NAME --address IP --dir CA-FOLDER --out FOLDER",
    });
  }
}
