import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  clientIdentityUri,
  identityPattern,
  identityUri,
  uriIdentityOf,
} from "../../../src/daemon/access/client-identity.ts";
import { hostNameOf } from "../../../src/daemon/peer-identity.ts";
import { initCertificateAuthority, issueClientCertificate } from "../../../src/daemon/pki.ts";

describe("a client's identity", () => {
  it.each([
    ["URI:sojourn://client/ansible, DNS:x", "sojourn://client/ansible"],
    ["URI:spiffe://example.org/ns/a/sa/b", "spiffe://example.org/ns/a/sa/b"],
    ["URI:sojourn://client/a, URI:sojourn://client/b", null],
    ['URI:"sojourn://client/a, URI:x"', null],
    ["DNS:sojourn://client/a", null],
    ["URI:javascript:x", null],
    [undefined, null],
  ])("in %s is %s", (subjectAltName, identity) => {
    expect(uriIdentityOf(subjectAltName)).toBe(identity);
  });

  it("is a name in the configuration, or the URI of another authority's certificates", () => {
    expect(identityUri("ansible")).toBe("sojourn://client/ansible");
    expect(identityUri("spiffe://example.org/a")).toBe("spiffe://example.org/a");
    for (const wrong of ["", "a b", "x,y", "spiffe://", 'a://"', "-a", "A://b"]) {
      expect(identityPattern.test(wrong)).toBe(false);
    }
  });

  it("is never what is not one entry of the certificate", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
        const found = uriIdentityOf(`URI:${text}`);
        if (found !== null) expect(found).toBe(text);
      }),
    );
  });

  it("is in the certificates that are issued, which are for clients only", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sojourn-client-"));
    try {
      await initCertificateAuthority(folder);
      const made = await issueClientCertificate(folder, { name: "ansible" });
      const certificate = new X509Certificate(await readFile(made.certificatePath));
      expect(uriIdentityOf(certificate.subjectAltName)).toBe(clientIdentityUri("ansible"));
      expect(hostNameOf(certificate.subjectAltName)).toBeNull();
      expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
      const refused = issueClientCertificate(folder, { name: "a, URI:x" });
      await expect(refused).rejects.toMatchObject({ code: "SOJ_BAD_NAME" });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
