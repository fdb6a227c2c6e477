import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DaemonConfig } from "../../../../src/daemon/config.ts";
import { checkCertificate } from "../../../../src/daemon/doctor/files/certificate.ts";
import { type IssuedCertificate, issueHostCertificate } from "../../../../src/daemon/pki.ts";
import { createTestAuthority, type TestAuthority } from "../../../support/host-certificates.ts";

let authority: TestAuthority;
let other: TestAuthority;
beforeAll(async () => {
  authority = await createTestAuthority("host-a", "host-b");
  other = await createTestAuthority("host-a");
});
afterAll(async () => {
  await authority[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

async function examine(files: IssuedCertificate, name = "host-a") {
  const config = {
    host: { name, underlayAddress: "172.16.1.2" },
    peerApi: files,
    migration: { tls: true },
  } as DaemonConfig;
  const checks = await checkCertificate(config);
  return Object.fromEntries(checks.map((check) => [check.id, check]));
}

const ofHostA = () => authority.hosts["host-a"] as IssuedCertificate;

async function issue(validityDays: number): Promise<IssuedCertificate> {
  const outDir = join(authority.folder, `days${validityDays}`);
  const addresses = ["127.0.0.1"];
  return issueHostCertificate(authority.folder, {
    ...{ name: "host-a", addresses, outDir, validityDays },
  });
}

describe("this host's certificate", () => {
  it("is in order as it was issued", async () => {
    const checks = await examine(ofHostA());
    expect(Object.values(checks).map(({ result }) => result)).toEqual(["ok", "ok", "ok"]);
  });

  it("is told to end soon, and to have ended, with the line that issues another", async () => {
    expect((await examine(await issue(10))).certificate).toMatchObject({ result: "warn" });
    const ended = await issue(-0.5);
    expect((await examine(ended)).certificate).toMatchObject({
      ...{ result: "fail", detail: expect.stringContaining("ended on") },
      mend: `sojourn pki issue host-a --address 172.16.1.2 --dir CA-FOLDER --out ${join(authority.folder, "days-0.5")}`,
    });
  });

  it("must be this host's, of this authority, with its own key, for its owner alone", async () => {
    expect((await examine(ofHostA(), "host-b")).certificate).toMatchObject({
      ...{ result: "fail", detail: "names host-a, not host-b" },
    });
    const { caPath } = other.hosts["host-a"] as IssuedCertificate;
    expect((await examine({ ...ofHostA(), caPath })).certificate).toMatchObject({ result: "fail" });
    const { keyPath } = authority.hosts["host-b"] as IssuedCertificate;
    expect((await examine({ ...ofHostA(), keyPath }))["certificate-key"]).toMatchObject({
      detail: expect.stringContaining("is not the certificate's"),
    });
    const open = await issue(100);
    await chmod(open.keyPath, 0o644);
    expect((await examine(open))["certificate-key"]).toMatchObject({
      ...{ result: "fail", mend: `chmod 600 ${open.keyPath}` },
    });
  });
});
