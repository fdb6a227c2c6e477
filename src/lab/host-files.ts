import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "smol-toml";
import { initCertificateAuthority, issueHostCertificate } from "../daemon/pki.ts";
import { readIfThere, writeFileAtomically } from "./files.ts";
import {
  anchorNames,
  daemonNodes,
  guestBridge,
  guestNetworkOf,
  hostAddresses,
  type LabSize,
  labPaths,
  lanPortOf,
  peerPort,
} from "./layout.ts";

/** Where a host finds its configuration, in its own view of the file system. */
export const hostConfigPath = "/etc/sojourn/sojourn.toml";

/**
 * Writes each host's certificates and configuration into its private /etc/sojourn; with `libvirt` the daemons take in
 * guests of its. Returns the hosts whose configuration is not what it was: a running daemon has to read it again.
 */
export async function writeHostFiles(
  lab: string,
  size: LabSize & { libvirt: boolean },
): Promise<string[]> {
  const paths = labPaths(lab);
  await initCertificateAuthority(paths.pki);
  const changed: string[] = [];
  for (const host of daemonNodes(size)) {
    const { etc } = paths.node(host);
    mkdirSync(join(etc, "guests"), { recursive: true, mode: 0o700 });
    await ensureCertificate(lab, host);
    if (writeIfDifferent(join(etc, "sojourn.toml"), hostConfig(host, size))) changed.push(host);
  }
  return changed;
}

/** Writes the file unless it holds just that; returns whether it did. */
export function writeIfDifferent(path: string, text: string): boolean {
  if (readIfThere(path) === text) return false;
  writeFileAtomically(path, text, 0o600);
  return true;
}

async function ensureCertificate(lab: string, host: string): Promise<void> {
  const paths = labPaths(lab);
  const outDir = join(paths.node(host).etc, "pki");
  const files = ["ca.crt", "host.crt", "host.key"].map((name) => join(outDir, name));
  if (files.every((file) => existsSync(file))) return;
  const addresses = [hostAddresses(host).underlayAddress];
  await issueHostCertificate(paths.pki, { name: host, addresses, outDir });
}

function hostConfig(host: string, size: LabSize & { libvirt: boolean }): string {
  const { underlayAddress } = hostAddresses(host);
  const lanPort = lanPortOf(host, size);
  const peers = daemonNodes(size).filter((name) => name !== host);
  const isAnchor = anchorNames(size.anchors ?? 0).includes(host);
  const role = isAnchor ? { role: "anchor" } : {};
  return stringify({
    host: { name: host, underlay_address: underlayAddress, ...role },
    guest_networks: [
      {
        ...{ ...guestNetworkOf(host, size), bridge: guestBridge },
        ...(lanPort === null ? {} : { port: lanPort.port }),
      },
    ],
    peer_api: {
      listen: `${underlayAddress}:${peerPort}`,
      ca: "/etc/sojourn/pki/ca.crt",
      certificate: "/etc/sojourn/pki/host.crt",
      key: "/etc/sojourn/pki/host.key",
    },
    peers: Object.fromEntries(
      peers.map((name) => [
        name,
        { address: `${hostAddresses(name).underlayAddress}:${peerPort}` },
      ]),
    ),
    ...(size.libvirt && !isAnchor ? { libvirt: { enabled: true } } : {}),
    log: { level: "info" },
  });
}
