import { join } from "node:path";
import { preconditionError, usageError } from "../platform/errors.ts";
import { checkName, derivedMac } from "../platform/names.ts";

/** Name of the lab when neither `--lab` nor `SOJOURN_LAB` says otherwise. */
export const defaultLabName = "sojourn";
/** Hosts get one letter and one subnet number each; more than this many are refused. */
export const maxHosts = 8;

/** Folders that exist on the machine itself while any lab is up. */
export const labsFolder = "/run/sojourn-lab";
export const labDisksFolder = "/var/lib/sojourn-lab";

/** Root of the checkout (or installation) this file belongs to. */
export const installationRoot = join(import.meta.dirname, "..", "..");

/** Anchors that a lab can have beside its hosts. */
export const maxAnchors = 4;

const hostLetters = "abcdefgh";

/** `host-a`, `host-b`, … for a lab of `count` hosts. @throws SojournError `SOJ_USAGE` unless 1 ≤ count ≤ 8. */
export function hostNames(count: number): string[] {
  if (!Number.isInteger(count) || count < 1 || count > maxHosts) {
    throw usageError(`a lab has 1 to ${maxHosts} hosts, not ${count}`);
  }
  return [...hostLetters.slice(0, count)].map((letter) => `host-${letter}`);
}

/** `anchor-a`, `anchor-b`, … @throws SojournError `SOJ_USAGE` unless 0 ≤ count ≤ 4. */
export function anchorNames(count: number): string[] {
  if (!Number.isInteger(count) || count < 0 || count > maxAnchors) {
    throw usageError(`a lab has 0 to ${maxAnchors} anchors, not ${count}`);
  }
  return [...hostLetters.slice(0, count)].map((letter) => `anchor-${letter}`);
}

/**
 * `routed`: each host is the gateway of its guests. `bridged`: guests of host-a are on a LAN with another machine, those of
 * all anchors on another LAN, and the router is their gateway.
 */
export const topologies = ["routed", "bridged"] as const;

export type Topology = (typeof topologies)[number];

/** The other machine on the LAN of a bridged lab. */
export const lanPeer = "lan-peer";

/** How many nodes of each kind a lab has. */
export interface LabSize {
  hosts: number;
  anchors?: number;
  /** Absent: routed. */
  topology?: Topology;
}

/** The nodes that run a daemon. */
export function daemonNodes({ hosts, anchors = 0 }: LabSize): string[] {
  return [...hostNames(hosts), ...anchorNames(anchors)];
}

/** Every node of a lab, in the order in which they are built. */
export function nodeNames(size: LabSize): string[] {
  const onLan = size.topology === "bridged" ? [lanPeer] : [];
  return ["router", "client", ...daemonNodes(size), ...onLan];
}

/** Every name a node can have in any lab: what `down` looks for when nothing is recorded. */
export const possibleNodes = nodeNames({
  ...{ hosts: maxHosts, anchors: maxAnchors, topology: "bridged" },
});

/** Number N of a host in 172.16.N.0/24 and 10.N.0.0/24: 1 for host-a. @throws SojournError for other nodes. */
export function hostNumber(host: string): number {
  const letter = /^host-([a-h])$/.exec(host)?.[1];
  if (letter === undefined) {
    throw preconditionError("SOJ_LAB_NODE_UNKNOWN", `${host} is not a host of a lab`);
  }
  return hostLetters.indexOf(letter) + 1;
}

export interface HostAddresses {
  underlayAddress: string;
  routerAddress: string;
  guestSubnet: string;
  guestGateway: string;
}

/** Of a node that runs a daemon: anchors are in 172.17.N.0/24, their guests in 10.10N.0.0/24. @throws SojournError */
export function hostAddresses(host: string): HostAddresses {
  const anchor = anchorNumber(host);
  if (anchor !== null) return anchorAddresses(anchor);
  const number = hostNumber(host);
  return {
    underlayAddress: `172.16.${number}.2`,
    routerAddress: `172.16.${number}.1`,
    guestSubnet: `10.${number}.0.0/24`,
    guestGateway: `10.${number}.0.1`,
  };
}

function anchorNumber(node: string): number | null {
  const letter = /^anchor-([a-d])$/.exec(node)?.[1];
  return letter === undefined ? null : hostLetters.indexOf(letter) + 1;
}

function anchorAddresses(number: number): HostAddresses {
  return {
    underlayAddress: `172.17.${number}.2`,
    routerAddress: `172.17.${number}.1`,
    guestSubnet: `10.${100 + number}.0.0/24`,
    guestGateway: `10.${100 + number}.0.1`,
  };
}

export const clientAddress = "192.0.2.2";
export const clientRouterAddress = "192.0.2.1";
export const guestBridge = "guests0";
export const peerPort = 7707;

/** The LAN of a bridged lab: the guest subnet of host-a, and of another machine. */
export const lan = { host: "host-a", peerAddress: "10.1.0.50" } as const;

/** How a node's guest bridge is joined to a LAN by a switch that the router has. */
export interface LanPort {
  /** The bridge's port, and the bridge's own address. */
  port: string;
  address: string;
  gateway: string;
  /** At the router: the switch, which is also its own interface, and its port to the node. */
  switch: string;
  switchPort: string;
}

/** Of a bridged lab's host-a, and of its anchors, which are all on one LAN; null for others. */
export function lanPortOf(node: string, { topology }: LabSize): LanPort | null {
  if (topology !== "bridged") return null;
  const common = { port: "lan0", switchPort: `lan-${node}` };
  if (node === lan.host) {
    return { ...common, switch: "lan", address: "10.1.0.2", gateway: "10.1.0.1" };
  }
  const anchor = anchorNumber(node);
  if (anchor === null) return null;
  const { guestGateway: gateway } = anchorAddresses(1);
  return { ...common, switch: "anchor-lan", address: `10.101.0.${1 + anchor}`, gateway };
}

/** The guest network of a node that runs a daemon. */
export function guestNetworkOf(node: string, size: LabSize): { subnet: string; gateway: string } {
  const isOnLan = lanPortOf(node, size) !== null && anchorNumber(node) !== null;
  const { guestSubnet: subnet, guestGateway: gateway } = isOnLan
    ? anchorAddresses(1)
    : hostAddresses(node);
  return { subnet, gateway };
}

/** Different on every host, as the MAC of a real gateway is. */
export function bridgeMac(lab: string, host: string): string {
  return derivedMac(`lab ${lab} bridge ${host}`);
}

/** Name of a node's network namespace, as `ip netns` lists it. */
export function namespaceName(lab: string, node: string): string {
  return `${lab}-${node}`;
}

/** Mark on the loopback device of each of the lab's namespaces, and start of the source of its mounts. */
export function labMark(lab: string): string {
  return `sojourn-lab:${lab}`;
}

/** @throws SojournError `SOJ_BAD_NAME`. */
export function checkLabName(lab: string): string {
  return checkName("lab", lab);
}

/** Files of a lab. They have the same paths on the machine and inside each node. */
export function labPaths(lab: string) {
  const state = join(labsFolder, lab);
  const disks = join(labDisksFolder, lab);
  return {
    state,
    disks,
    record: join(state, "lab.json"),
    pki: join(state, "pki"),
    bin: join(state, "bin"),
    overlayImage: join(disks, "initramfs-overlay.cpio.gz"),
    node: (node: string) => {
      const folder = join(state, "nodes", node);
      return {
        folder,
        /** What the node sees as /etc/sojourn. */
        etc: join(folder, "etc"),
        /** What the node sees as /var/lib/sojourn; on the disk, so that fsync costs what it costs. */
        disk: join(disks, node),
        holder: join(folder, "holder.json"),
        daemon: join(folder, "daemon.json"),
        daemonLog: join(folder, "daemon.log"),
        initLog: join(folder, "init.log"),
      };
    },
  };
}
