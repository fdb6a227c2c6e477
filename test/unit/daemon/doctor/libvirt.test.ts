import { X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkHook, judgeLibvirt } from "../../../../src/daemon/doctor/host/libvirt.ts";
import {
  findCertificates,
  folderNamedIn,
  judgeStreamCertificates,
} from "../../../../src/daemon/doctor/host/libvirt-certificates.ts";
import { compareHypervisors } from "../../../../src/daemon/doctor/pair/hypervisors.ts";
import { initCertificateAuthority, issueHostCertificate } from "../../../../src/daemon/pki.ts";
import { temporaryFolder } from "../../migrator/support.ts";

const topic = { id: "libvirt-certificates", why: "" };

test("libvirt's version is judged, and QEMU's told", () => {
  expect(judgeLibvirt("9.0.0", "10.0.2", "/s")).toMatchObject({
    ...{ id: "libvirt", result: "ok", detail: "libvirt 9.0.0 with QEMU 10.0.2 at /s" },
  });
  expect(judgeLibvirt("5.10.0", "4.2.0", "/s")).toMatchObject({ result: "fail" });
  expect(judgeLibvirt("6.0.0", "4.2.0", "/s")).toMatchObject({ result: "warn" });
});

test.each([
  ["", null, null],
  ["#migrate_tls_x509_cert_dir = '/x'", null, null],
  ['default_tls_x509_cert_dir = "/etc/pki/a"', null, "/etc/pki/a"],
  ['default_tls_x509_cert_dir = "/a"\n migrate_tls_x509_cert_dir="/b"\n', "/b", "/a"],
])("the folders that qemu.conf names: %j", (text, ofMigration, ofAll) => {
  expect(folderNamedIn(text, "migrate")).toBe(ofMigration);
  expect(folderNamedIn(text, "default")).toBe(ofAll);
});

test("hosts of which one protects libvirt's streams do not fit", () => {
  const here = { host: "host-a", version: "10.0.2", accelerator: "kvm", streamTls: true } as const;
  const there = { ...here, host: "host-b", streamTls: false };
  const check = compareHypervisors(here, there, { id: "peer-libvirt", why: "" }, "libvirt");
  expect(check).toMatchObject({
    ...{ id: "peer-libvirt", result: "fail", hint: "set tls under [libvirt] alike on both hosts" },
  });
});

test("a hook that is not there is missed", async () => {
  expect(await checkHook("/bin/sh")).toMatchObject({ id: "libvirt-hook", result: "ok" });
  expect(await checkHook("/nothing")).toMatchObject({
    ...{ result: "warn", mend: "sojourn libvirt install-hooks" },
  });
});

describe("certificates of libvirt's streams", () => {
  const folder = temporaryFolder();
  const host = join(folder.path, "host");
  const pki = join(folder.path, "qemu");
  const conf = `migrate_tls_x509_cert_dir = "${pki}"`;
  const link = (name: string, target: string) => symlinkSync(join(host, target), join(pki, name));

  beforeAll(async () => {
    const authority = join(folder.path, "ca");
    mkdirSync(pki);
    await initCertificateAuthority(authority);
    const wish = { name: "host-a", addresses: ["172.16.1.2"], outDir: host };
    await issueHostCertificate(authority, wish);
  });

  afterAll(() => folder[Symbol.dispose]());

  test("what is missing is named, first that of a destination, then that of a source", async () => {
    const judge = async (name = "host-a") =>
      judgeStreamCertificates(topic, name, await findCertificates(conf));
    expect((await judge()).detail).toContain("lacks ca-cert.pem, server-cert.pem, server-key.pem");
    link("ca-cert.pem", "ca.crt");
    link("server-key.pem", "host.key");
    writeFileSync(join(pki, "server-cert.pem"), "none");
    expect(await judge()).toMatchObject({
      result: "fail",
      detail: expect.stringContaining("is no certificate"),
    });
    writeFileSync(join(pki, "server-cert.pem"), readFileSync(join(host, "host.crt")));
    expect(await judge()).toMatchObject({
      ...{ result: "warn", detail: expect.stringContaining("client-cert.pem, client-key.pem") },
    });
    link("client-cert.pem", "host.crt");
    link("client-key.pem", "host.key");
    expect(await judge()).toMatchObject({ result: "ok", detail: expect.stringContaining(pki) });
    expect(await judge("host-b")).toMatchObject({
      ...{ result: "fail", detail: expect.stringContaining("does not name host-b") },
    });
  });

  test("one that has ended is refused", () => {
    const certificate = new X509Certificate(readFileSync(join(host, "host.crt")));
    const ended = new Proxy(certificate, {
      get: (target, key) =>
        key === "validTo" ? "Jan  1 00:00:00 2020 GMT" : Reflect.get(target, key, target),
    });
    const found = { folder: pki, missing: [], missingOfClient: [], certificate: ended };
    expect(judgeStreamCertificates(topic, "host-a", found)).toMatchObject({
      ...{ result: "fail", detail: expect.stringContaining("has ended, Jan  1") },
    });
  });
});
