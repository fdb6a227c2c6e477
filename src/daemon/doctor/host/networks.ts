import { CommandError, findTool, runCommand } from "../../../platform/command.ts";
import type { DaemonConfig, GuestNetwork } from "../../config.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, skipped, type Topic, warn } from "../check.ts";
import { hasFixedMac, type Interface } from "./interfaces.ts";
import { lanFaults } from "./lan.ts";

const underlay: Topic = {
  id: "underlay",
  why: "Tunnels and migration streams end at this address; peers send to it.",
};

const arrivals: Topic = {
  id: "migration-address",
  why: "Guests arrive at this address; where this host does not have it, its daemon does not start.",
};

/** The interface that has this host's underlay address; null when none has. */
export function underlayInterface(
  config: Pick<DaemonConfig, "host">,
  interfaces: readonly Interface[],
): Interface | null {
  return interfaceWith(config.host.underlayAddress, interfaces);
}

/** The interface that has the address at which guests arrive; null when none has. */
export function arrivalInterface(
  { host, migration }: Pick<DaemonConfig, "host" | "migration">,
  interfaces: readonly Interface[],
): Interface | null {
  return interfaceWith(migration.address ?? host.underlayAddress, interfaces);
}

/** The address at which guests arrive, where it is not the one that peers know. */
export function checkArrivals(
  config: Pick<DaemonConfig, "host" | "migration">,
  interfaces: readonly Interface[],
): DoctorCheck[] {
  const { address } = config.migration;
  if (address === null) return [];
  const link = arrivalInterface(config, interfaces);
  if (link === null) {
    const hint = "correct or remove address under [migration], or configure the address";
    return [fail(arrivals, `${address} is not an address of this host`, { hint })];
  }
  if (link.isUp) return [ok(arrivals, `${address} is an address of this host (${link.name})`)];
  const mend = `ip link set dev ${link.name} up`;
  return [fail(arrivals, `${link.name}, which has ${address}, is down`, { mend })];
}

function interfaceWith(wanted: string, interfaces: readonly Interface[]): Interface | null {
  const hasIt = ({ addresses }: Interface) => addresses.some(({ address }) => address === wanted);
  return interfaces.find(hasIt) ?? null;
}

/** The address that peers know, and room for tunnelled packets on its device. */
export function checkUnderlay(
  config: Pick<DaemonConfig, "host">,
  interfaces: readonly Interface[],
): DoctorCheck[] {
  const { underlayAddress } = config.host;
  const link = underlayInterface(config, interfaces);
  if (link === null) {
    const hint = "correct underlay_address under [host], or configure the address";
    return [fail(underlay, `${underlayAddress} is not an address of this host`, { hint })];
  }
  if (!link.isUp) {
    const mend = `ip link set dev ${link.name} up`;
    return [fail(underlay, `${link.name}, which has ${underlayAddress}, is down`, { mend })];
  }
  return [
    ok(underlay, `${underlayAddress} is an address of this host (${link.name})`),
    checkMtu(link),
  ];
}

/** Bytes that ipip takes of each packet; vxlan takes 50. */
const leastOverheadBytes = 20;

function checkMtu(link: Interface): DoctorCheck {
  const topic: Topic = {
    ...{ id: "underlay-mtu", subject: link.name },
    why: "Packets of older sessions that do not fit the tunnel any more have to be cut up, or are lost where ICMP is.",
  };
  const inner = link.mtu - leastOverheadBytes;
  const room = `${link.mtu} bytes: ${inner} through ipip, ${link.mtu - 50} through vxlan`;
  if (inner < 576) {
    const mend = `ip link set dev ${link.name} mtu 1500`;
    return fail(topic, `${room}; no tunnel works with less than 576`, { mend });
  }
  if (link.mtu >= 1500) return ok(topic, room);
  return warn(topic, room, {
    mend: `ip link set dev ${link.name} mtu 1500`,
    hint: "raise it if the network between the hosts carries it; 1550 leaves guests their 1500",
  });
}

/** Each guest network's bridge: there, up, with the gateway's address or a port to its LAN, and a MAC address of its own. */
export async function checkGuestNetworks(
  networks: readonly GuestNetwork[],
  interfaces: readonly Interface[],
): Promise<DoctorCheck[]> {
  const checks = await Promise.all(networks.map((network) => checkNetwork(network, interfaces)));
  return checks.flat();
}

async function checkNetwork(
  network: GuestNetwork,
  interfaces: readonly Interface[],
): Promise<DoctorCheck[]> {
  const { bridge, subnet, gateway, port } = network;
  const topic: Topic = {
    ...{ id: "bridge", subject: bridge, name: `bridge ${bridge}` },
    why: "Guests that are at home here are plugged into it, and reach everybody else through its address.",
  };
  const address = `${gateway}/${subnet.split("/")[1] ?? "32"}`;
  const link = interfaces.find(({ name }) => name === bridge);
  const up = `ip link set dev ${bridge} up`;
  if (link === undefined) {
    const add = `ip link add name ${bridge} address ${exampleMac(bridge)} type bridge`;
    const join =
      port === undefined
        ? `ip address add ${address} dev ${bridge}`
        : `ip link set dev ${port} master ${bridge}`;
    const mend = [add, join, up];
    return [fail(topic, `does not exist (for ${subnet})`, { mend })];
  }
  if (link.kind !== "bridge") {
    const hint = "name a bridge under [[guest_networks]]";
    return [fail(topic, `${bridge} is no bridge but ${link.kind ?? "a device"}`, { hint })];
  }
  const checks: DoctorCheck[] = [];
  if (!link.isUp) checks.push(fail(topic, "is down", { mend: up }));
  if (port !== undefined) {
    checks.push(...lanFaults(topic, { ...network, port }, link, interfaces));
  } else if (!link.addresses.some((one) => one.address === gateway)) {
    const mend = `ip address add ${address} dev ${bridge}`;
    const hint = "or, where that is another machine's, say with `port` which port leads to its LAN";
    checks.push(fail(topic, `does not have the gateway's address ${gateway}`, { mend, hint }));
  }
  if (checks.length === 0) checks.push(ok(topic, `for ${subnet}`));
  return [...checks, await checkOwnMac(link, interfaces)];
}

async function checkOwnMac(
  link: Interface,
  interfaces: readonly Interface[],
): Promise<DoctorCheck> {
  const topic: Topic = {
    ...{ id: "bridge-mac", subject: link.name },
    why: "A bridge without a MAC address of its own takes another with its ports, and guests send to the old one.",
  };
  const borrowed = interfaces.some(({ master, mac }) => master === link.name && mac === link.mac);
  const fixed = await hasFixedMac(link);
  if (fixed === true || (fixed === null && !borrowed)) return ok(topic, link.mac ?? "none");
  const mend = `ip link set dev ${link.name} address ${link.mac}`;
  return warn(topic, `${link.mac} changes with its ports`, { mend });
}

/** Locally administered (IEEE 802), the same each time it is printed. */
function exampleMac(bridge: string): string {
  const digits = Buffer.from(bridge.padEnd(4, "\0")).subarray(0, 4).toString("hex");
  return `02:53:${digits.replace(/(..)(?=.)/g, "$1:")}`;
}

/** Whether another machine on the guests' network has the gateway's address too (RFC 5227 probes, by arping). */
export async function checkDuplicateGateway(
  network: GuestNetwork,
  interfaces: readonly Interface[],
): Promise<DoctorCheck> {
  const { bridge, gateway } = network;
  const topic: Topic = {
    ...{ id: "gateway-duplicate", subject: gateway },
    why: "Two machines with one address take each other's packets; guests lose their gateway every now and then.",
  };
  const link = interfaces.find(({ name }) => name === bridge);
  if (link === undefined || !link.isUp) return skipped(topic, `${bridge} is not up`);
  try {
    findTool("arping");
  } catch {
    return skipped(topic, "arping is not installed", "apt-get install iputils-arping");
  }
  try {
    const args = ["-D", "-q", "-c", "2", "-w", "2", "-I", bridge, gateway];
    const { exitCode } = await runCommand("arping", args, { acceptExitCodes: [1] });
    if (exitCode === 0) return ok(topic, "nobody else answers for it");
  } catch (error) {
    if (error instanceof CommandError) return skipped(topic, error.message.slice(0, 300));
    throw error;
  }
  return fail(topic, `somebody else on ${bridge} answers for ${gateway}`, {
    mend: `arping -c 1 -I ${bridge} ${gateway}`,
    hint: "it prints the other's MAC address; take the address away from that machine",
  });
}
