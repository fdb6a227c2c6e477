import { lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { derivedUuid } from "../../platform/names.ts";
import { readIfThere } from "../files.ts";
import { writeIfDifferent } from "../host-files.ts";
import { clientAddress, hostAddresses, hostNames } from "../layout.ts";
import { libvirtPaths, libvirtPkiFolder } from "./paths.ts";

/**
 * Writes what a host's libvirtd reads (https://libvirt.org/manpages/libvirtd.html, drvqemu.html, uri.html), for a lab
 * of `hosts` hosts.
 */
export function writeLibvirtFiles(lab: string, host: string, hosts: number): void {
  const paths = libvirtPaths(lab, host);
  mkdirSync(join(paths.etc, "pki", streamFolder), { recursive: true, mode: 0o755 });
  const { underlayAddress } = hostAddresses(host);
  writeIfDifferent(join(paths.etc, "libvirtd.conf"), daemonConfig(lab, host, underlayAddress));
  writeIfDifferent(join(paths.etc, "qemu.conf"), qemuConfig(host, underlayAddress));
  writeIfDifferent(join(paths.etc, "libvirt.conf"), clientConfig(hosts));
  linkCertificates(join(paths.etc, "pki"), forConnections);
  linkCertificates(join(paths.etc, "pki", streamFolder), forStreams);
  writeInPlace(paths.hosts, namesTable(hosts));
  writeInPlace(
    paths.passwd,
    withUser("/etc/passwd", "x:64055:64055::/nonexistent:/usr/sbin/nologin"),
  );
  writeInPlace(paths.group, withUser("/etc/group", "x:64055:"));
}

/** Whoever sees a file through a mount would go on seeing the one that was replaced. */
function writeInPlace(path: string, text: string): void {
  if (readIfThere(path) !== text) writeFileSync(path, text, { mode: 0o644 });
}

/**
 * The machine's table with the user that Debian's libvirtd is built to look for, whatever its configuration says; only
 * libvirt-daemon-system would make it.
 */
function withUser(path: string, fields: string): string {
  const table = readFileSync(path, "utf8");
  return /^libvirt-qemu:/m.test(table) ? table : `${table.trimEnd()}\nlibvirt-qemu:${fields}\n`;
}

function daemonConfig(lab: string, host: string, address: string): string {
  return settings({
    // The machine's own number would be the same on all hosts, and libvirt moves nothing to itself.
    host_uuid: derivedUuid(`lab ${lab} libvirt ${host}`),
    unix_sock_ro_perms: "0700",
    unix_sock_rw_perms: "0700",
    auth_unix_ro: "none",
    auth_unix_rw: "none",
    // From other hosts over TLS only, with a certificate of the lab's authority on either end.
    listen_tls: 1,
    listen_tcp: 0,
    listen_addr: address,
    auth_tls: "none",
    ca_file: `${libvirtPkiFolder}/cacert.pem`,
    cert_file: `${libvirtPkiFolder}/servercert.pem`,
    key_file: `${libvirtPkiFolder}/serverkey.pem`,
  });
}

function qemuConfig(host: string, address: string): string {
  return settings({
    user: "root",
    group: "root",
    dynamic_ownership: 0,
    remember_owner: 0,
    security_driver: "none",
    // No namespaces or control groups within the lab's: its end has to find every process.
    namespaces: [],
    cgroup_controllers: [],
    stdio_handler: "file",
    migration_host: host,
    migration_address: address,
    // `virsh migrate --tls` works too: either end shows the other a certificate of the lab's authority.
    migrate_tls_x509_cert_dir: `${libvirtPkiFolder}/${streamFolder}`,
    migrate_tls_x509_verify: 1,
  });
}

/** `virsh migrate --live web1 host-b` instead of the long address. */
function clientConfig(hosts: number): string {
  return settings({
    uri_default: "qemu:///system",
    uri_aliases: hostNames(hosts).map((host) => `${host}=${libvirtUri(host)}`),
  });
}

/** A host's libvirtd as another host of the lab reaches it. */
export function libvirtUri(host: string): string {
  return `qemu+tls://${host}/system?pkipath=${libvirtPkiFolder}`;
}

/** Below the folder of certificates: those of migration streams, under the names that QEMU looks for. */
const streamFolder = "qemu";

/** The host's certificate serves both ends of TLS, of connections between libvirts and of streams between QEMUs. */
const forConnections = {
  "cacert.pem": "ca.crt",
  "servercert.pem": "host.crt",
  "serverkey.pem": "host.key",
  "clientcert.pem": "host.crt",
  "clientkey.pem": "host.key",
};
const forStreams = {
  "ca-cert.pem": "ca.crt",
  "server-cert.pem": "host.crt",
  "server-key.pem": "host.key",
  "client-cert.pem": "host.crt",
  "client-key.pem": "host.key",
};

function linkCertificates(folder: string, targets: Readonly<Record<string, string>>): void {
  for (const [name, target] of Object.entries(targets)) {
    const path = join(folder, name);
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
    symlinkSync(`/etc/sojourn/pki/${target}`, path);
  }
}

function namesTable(hosts: number): string {
  const lines = hostNames(hosts).map((host) => `${hostAddresses(host).underlayAddress} ${host}`);
  return `127.0.0.1 localhost\n${clientAddress} client\n${lines.join("\n")}\n`;
}

/** libvirt's `name = value` lines; its strings know no escapes, and none is needed here. */
function settings(values: Record<string, string | number | readonly string[]>): string {
  const text = (value: string | number | readonly string[]) =>
    typeof value === "object"
      ? `[ ${value.map((item) => `"${item}"`).join(", ")} ]`
      : typeof value === "number"
        ? String(value)
        : `"${value}"`;
  const lines = Object.entries(values).map(([name, value]) => `${name} = ${text(value)}`);
  return `${lines.join("\n")}\n`;
}
