import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type IssuedCertificate,
  initCertificateAuthority,
  issueHostCertificate,
} from "../../src/daemon/pki.ts";

/** A certificate authority in a temporary folder, with one certificate per host on loopback. */
export interface TestAuthority extends AsyncDisposable {
  folder: string;
  hosts: Record<string, IssuedCertificate>;
}

export async function createTestAuthority(...names: string[]): Promise<TestAuthority> {
  const folder = await mkdtemp(join(tmpdir(), "sojourn-pki-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await initCertificateAuthority(folder);
    const hosts: Record<string, IssuedCertificate> = {};
    for (const name of names) {
      hosts[name] = await issueHostCertificate(folder, { name, addresses: ["127.0.0.1"] });
    }
    return { folder, hosts, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
