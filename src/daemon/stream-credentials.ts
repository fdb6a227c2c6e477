import { chmod, mkdir, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { TlsFiles } from "./peer-tls.ts";

/**
 * Lays the host's certificate files out as QEMU's `tls-creds-x509` wants them (QEMU manual, "TLS setup for
 * network services"): a private folder of links, so that no second copy of the key exists and renewed files count.
 * Whatever was in the folder before is replaced.
 */
export async function layOutStreamCredentials(folder: string, files: TlsFiles): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const links = {
    "ca-cert.pem": files.caPath,
    "server-cert.pem": files.certificatePath,
    "server-key.pem": files.keyPath,
    "client-cert.pem": files.certificatePath,
    "client-key.pem": files.keyPath,
  };
  for (const [name, target] of Object.entries(links)) {
    await replaceLink(join(folder, name), target);
  }
}

async function replaceLink(path: string, target: string): Promise<void> {
  const beside = `${path}.new`;
  await rm(beside, { force: true });
  await symlink(target, beside);
  await rename(beside, path);
}
