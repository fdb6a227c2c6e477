import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { HostRole } from "../migrator/host-role.ts";
import type { MigrationOptions } from "../migrator/migration-options.ts";
import { preconditionError, reasonOf } from "../platform/errors.ts";
import { readToml } from "../platform/toml.ts";
import { type ApiConfig, apiConfig } from "./access/config.ts";
import { type ConfigFile, configSchema } from "./config-schema.ts";
import { type DnsConfig, dnsConfig } from "./dns/config.ts";
import type { GateSection } from "./gates/config.ts";
import type { HooksConfig, WebhookConfig } from "./hooks/config.ts";

export interface Endpoint {
  address: string;
  port: number;
}

/** A guest subnet that this host is home of. */
export interface GuestNetwork {
  /** CIDR. */
  subnet: string;
  gateway: string;
  bridge: string;
  /** The bridge's port towards the LAN whose gateway that is; absent where this host is the gateway. */
  port?: string | undefined;
}

/** How this host speaks with its libvirt. */
export interface LibvirtConfig {
  /** Tried in this order; null for the system's. */
  sockets: readonly string[] | null;
  /** Whether libvirt protects the streams of its guests, with certificates of its own. */
  tls: boolean;
}

export interface DaemonConfig {
  host: {
    name: string;
    underlayAddress: string;
    /** `host` where it is not said. */
    role?: HostRole;
  };
  guestNetworks: GuestNetwork[];
  peerApi: { listen: Endpoint; caPath: string; certificatePath: string; keyPath: string };
  peers: ReadonlyMap<string, Endpoint>;
  api: ApiConfig;
  migration: {
    /** Where guests arrive, each on one port; null for any that the kernel gives. */
    ports: { first: number; last: number } | null;
    tunnel: "auto" | "ipip" | "vxlan";
    /** Guests travel between the hosts' QEMUs over mutual TLS 1.3; both hosts must agree. */
    tls: boolean;
    /** Longest time the guest may be stopped before the promise. */
    frozenDeadlineMs: number;
    downtimeLimitMs: number;
    /** 0 means unlimited. */
    maxBandwidthMbps: number;
    /** QEMU's dirty syncs before the guest may be stopped. */
    minimumPasses: number;
    timeoutS: number;
    /** Where neither a request nor the guest's definition says. */
    options: MigrationOptions;
    /** Longest predicted blackout that policy `finish` accepts. */
    finishLimitMs: number;
    /** 0 where it has to be found out. */
    linkMbps: number;
    /** Where guests arrive; null for the underlay address. */
    address: string | null;
    /** 0 for one plain connection. */
    multifdChannels: number;
    compression: "none" | "zstd" | "zlib";
  };
  flows: { track: boolean };
  /** How long redirects of renumbered guests stay. */
  drain: { idleTimeoutS: number; capS: number | null; nameTtlS: number };
  /** Null where nobody, or hooks, see to the names of renumbered guests. */
  dns: DnsConfig | null;
  /** Null on hosts that take in no guests of libvirt's. */
  libvirt: LibvirtConfig | null;
  paths: { state: string; run: string; guests: string };
  log: { level: string };
  /** Who is asked whether migrations that leave this host go on. */
  gates: GateSection[];
  hooks: HooksConfig;
  webhooks: WebhookConfig[];
}

/**
 * Reads and checks the daemon's configuration.
 * @throws SojournError `SOJ_CONFIG_MISSING` when the file cannot be read, `SOJ_CONFIG_INVALID` naming key path and line.
 */
export async function loadConfig(path: string): Promise<DaemonConfig> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw preconditionError("SOJ_CONFIG_MISSING", `cannot read ${path}: ${reasonOf(cause)}`, {
      cause,
      hint: "name the file with --config FILE",
    });
  }
  return parseConfig(text, path);
}

/** @throws SojournError `SOJ_CONFIG_INVALID` for anything but a complete, consistent configuration. */
export function parseConfig(text: string, fileName: string): DaemonConfig {
  return fromFile(readToml(configSchema, text, fileName, "SOJ_CONFIG_INVALID"));
}

/** Path of the local API's socket. */
export function socketPath(config: Pick<DaemonConfig, "paths">): string {
  return `${config.paths.run}/sojourn.sock`;
}

/** Splits a checked `ADDRESS:PORT`. */
function parseEndpoint(text: string): Endpoint {
  const [address = "", port = ""] = text.split(":");
  return { address: z.ipv4().parse(address), port: Number(port) };
}

function fromFile(file: ConfigFile): DaemonConfig {
  const { certificate: certificatePath, key: keyPath } = file.peer_api;
  return {
    host: {
      name: file.host.name,
      underlayAddress: file.host.underlay_address,
      role: file.host.role,
    },
    guestNetworks: file.guest_networks,
    peerApi: {
      listen: parseEndpoint(file.peer_api.listen),
      caPath: file.peer_api.ca,
      certificatePath,
      keyPath,
    },
    peers: new Map(
      Object.entries(file.peers).map(([name, peer]) => [name, parseEndpoint(peer.address)]),
    ),
    api: apiConfig(file.api, parseEndpoint, { certificatePath, keyPath }),
    migration: {
      ports: file.migration.ports ?? null,
      tunnel: file.migration.tunnel,
      tls: file.migration.tls,
      frozenDeadlineMs: file.migration.frozen_deadline_ms,
      downtimeLimitMs: file.migration.downtime_limit_ms,
      maxBandwidthMbps: file.migration.max_bandwidth_mbps,
      minimumPasses: file.migration.minimum_passes,
      timeoutS: file.migration.timeout_s,
      options: {
        policy: file.migration.policy,
        postCopy: file.migration.post_copy,
        guestSharePercent: file.migration.guest_share,
      },
      finishLimitMs: file.migration.finish_limit_ms,
      linkMbps: file.migration.link_mbps,
      address: file.migration.address ?? null,
      multifdChannels: file.migration.multifd_channels,
      compression: file.migration.compression,
    },
    flows: file.flows,
    drain: {
      idleTimeoutS: file.drain.idle_timeout_s,
      capS: file.drain.cap_s === 0 ? null : file.drain.cap_s,
      nameTtlS: file.drain.name_ttl_s,
    },
    dns: dnsConfig(file.dns),
    libvirt: libvirtConfig(file),
    paths: file.paths,
    log: file.log,
    gates: file.gates,
    hooks: file.hooks,
    webhooks: file.webhooks,
  };
}

function libvirtConfig({ libvirt, migration }: ConfigFile): LibvirtConfig | null {
  if (libvirt === undefined || !libvirt.enabled) return null;
  return { sockets: libvirt.sockets ?? null, tls: libvirt.tls ?? migration.tls };
}
