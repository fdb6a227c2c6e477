import { X509Certificate } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hostNameOf } from "../../../src/daemon/peer-identity.ts";
import { initCertificateAuthority, issueHostCertificate } from "../../../src/daemon/pki.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sojourn-pki-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("certificates", () => {
  it("carry the host's name, its addresses and both uses", async () => {
    const { caPath } = await initCertificateAuthority(folder);
    const made = await issueHostCertificate(folder, {
      name: "host-a",
      addresses: ["172.16.1.2", "127.0.0.1"],
    });
    const certificate = new X509Certificate(await readFile(made.certificatePath));
    const ca = new X509Certificate(await readFile(caPath));
    expect(certificate.verify(ca.publicKey)).toBe(true);
    expect(ca.ca && !certificate.ca).toBe(true);
    expect(hostNameOf(certificate.subjectAltName)).toBe("host-a");
    // What QEMU admits a source by, and what it knows a destination by.
    expect(certificate.subject).toBe("CN=host-a");
    expect(certificate.checkHost("host-a", { subject: "never" })).toBe("host-a");
    expect(certificate.checkIP("172.16.1.2")).toBe("172.16.1.2");
    expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
    expect((await readdir(join(folder, "hosts", "host-a"))).sort()).toEqual([
      "ca.crt",
      "host.crt",
      "host.key",
    ]);
  });

  it("are valid on a host whose clock is hours behind, in a folder of any name", async () => {
    const odd = join(folder, `a b$c#d'e"f\\g`);
    const { caPath } = await initCertificateAuthority(odd);
    const made = await issueHostCertificate(odd, { name: "host-a", addresses: [] });
    const [ca, certificate] = (
      await Promise.all([caPath, made.certificatePath].map((path) => readFile(path)))
    ).map((pem) => new X509Certificate(pem)) as [X509Certificate, X509Certificate];
    const days = (until: string) => Math.round((Date.parse(until) - Date.now()) / 86_400_000);
    expect([ca, certificate].map(({ validFrom }) => days(validFrom))).toEqual([-1, -1]);
    expect([ca, certificate].map(({ validTo }) => days(validTo))).toEqual([3650, 825]);
    expect(certificate.checkIssued(ca)).toBe(true);
    expect(certificate.serialNumber).not.toBe(ca.serialNumber);
  });

  it("keep keys to their owner", async () => {
    const { keyPath } = await initCertificateAuthority(folder);
    const made = await issueHostCertificate(folder, { name: "host-a", addresses: [] });
    for (const path of [keyPath, made.keyPath]) {
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    }
  });

  it("keep an authority that is there", async () => {
    const { caPath, isNew } = await initCertificateAuthority(folder);
    expect(isNew).toBe(true);
    const before = await readFile(caPath, "utf8");
    expect(await initCertificateAuthority(folder)).toMatchObject({ caPath, isNew: false });
    expect(await readFile(caPath, "utf8")).toBe(before);
  });

  it("are refused with a typed error", async () => {
    const issue = (name: string, addresses: string[]) =>
      issueHostCertificate(folder, { name, addresses });
    await expect(issue("host-a", [])).rejects.toMatchObject({ code: "SOJ_PKI_NO_AUTHORITY" });
    await initCertificateAuthority(folder);
    await expect(issue("a, URI:x", [])).rejects.toMatchObject({ code: "SOJ_BAD_NAME" });
    await expect(issue("a", ["1.2.3"])).rejects.toMatchObject({ code: "SOJ_BAD_ADDRESS" });
    await rm(join(folder, "ca.key"));
    await expect(initCertificateAuthority(folder)).rejects.toMatchObject({
      code: "SOJ_PKI_INCOMPLETE",
    });
  });
});

describe("hostNameOf", () => {
  it.each([
    ["URI:sojourn://host/host-a, IP Address:172.16.1.2", "host-a"],
    ["IP Address:172.16.1.2", null],
    ["URI:sojourn://host/a, URI:sojourn://host/b", null],
    ['URI:"http://x, URI:sojourn://host/b, y"', null],
    ["URI:sojourn://host/../b", null],
    ["DNS:sojourn://host/b", null],
    [undefined, null],
  ])("%s → %s", (subjectAltName, name) => {
    expect(hostNameOf(subjectAltName)).toBe(name);
  });
});
