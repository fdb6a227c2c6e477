import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { CertificateMetrics } from "../../../src/daemon/metrics/certificate-metrics.ts";
import { Instruments } from "../../../src/daemon/metrics/instruments.ts";
import { readTlsFiles, type TlsFiles } from "../../../src/daemon/peer-tls.ts";
import { createTestAuthority } from "../../support/host-certificates.ts";
import { valueIn } from "../../support/scrape.ts";

const name = "sojourn_certificate_expiry_timestamp_seconds";

test("the end of each certificate is told, and what is no certificate is left out", async () => {
  await using authority = await createTestAuthority("host-a");
  const { cert } = await readTlsFiles(authority.hosts["host-a"] as TlsFiles);
  const instruments = new Instruments();
  new CertificateMetrics(instruments).know({
    peer: cert,
    authority: Buffer.from("no certificate"),
  });
  const text = await instruments.registry.metrics();
  const endMs = Date.parse(new X509Certificate(cert).validTo);
  expect(valueIn(text, name, { certificate: "peer" })).toBe(endMs / 1000);
  expect(valueIn(text, name, { certificate: "authority" })).toBeUndefined();
});
