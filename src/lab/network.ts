import { runCommand } from "../platform/command.ts";
import {
  bridgeMac,
  clientAddress,
  clientRouterAddress,
  daemonNodes,
  guestBridge,
  hostAddresses,
  type LabSize,
  type LanPort,
  lan,
  lanPeer,
  lanPortOf,
  namespaceName,
} from "./layout.ts";
import { ensureLinkLimit } from "./link-limit.ts";

/**
 * Links, addresses and routes of the whole lab: every node has `eth0` towards a port of the router that is
 * named after the node; what is on the LAN of a bridged lab has one towards its switch. The hosts' links to the router
 * carry `linkMbps` each way; 0: as much as the machine can. What exists is left, what is missing is added.
 */
export async function ensureNetwork(lab: string, size: LabSize, linkMbps: number): Promise<void> {
  await ensureClient(lab);
  for (const host of daemonNodes(size)) {
    const lanPort = lanPortOf(host, size);
    await ensureHost(lab, host, lanPort);
    await ensureLinkLimit(lab, { node: host, device: "eth0" }, linkMbps);
    await ensureLinkLimit(lab, { node: "router", device: host }, linkMbps);
    if (lanPort !== null) await ensureLan(lab, host, lanPort);
    if (lanPort !== null && host === lan.host) await ensureLanPeer(lab, lanPort);
  }
}

async function ensureClient(lab: string): Promise<void> {
  await ensureLinkToRouter(lab, "client");
  await inNode(lab, "router", [`addr replace ${clientRouterAddress}/24 dev client`]);
  await inNode(lab, "client", [
    `addr replace ${clientAddress}/24 dev eth0`,
    `route replace default via ${clientRouterAddress} dev eth0`,
  ]);
}

async function ensureHost(lab: string, host: string, lanPort: LanPort | null): Promise<void> {
  const { underlayAddress, routerAddress, guestSubnet, guestGateway } = hostAddresses(host);
  await ensureLinkToRouter(lab, host);
  await inNode(lab, "router", [
    `addr replace ${routerAddress}/24 dev ${host}`,
    ...(lanPort !== null
      ? []
      : [`route replace ${guestSubnet} via ${underlayAddress} dev ${host}`]),
  ]);
  if (!(await hasLink(lab, host, guestBridge))) {
    // A fixed MAC, or the bridge would take the one of whichever tap is plugged in first.
    const mac = bridgeMac(lab, host);
    await inNode(lab, host, [`link add ${guestBridge} address ${mac} type bridge forward_delay 0`]);
  }
  await inNode(lab, host, [
    `addr replace ${underlayAddress}/24 dev eth0`,
    `route replace default via ${routerAddress} dev eth0`,
    `link set ${guestBridge} up`,
    `addr replace ${lanPort?.address ?? guestGateway}/24 dev ${guestBridge}`,
  ]);
}

/** The router's switch with its own address, the guests' gateway, and its port to the node's bridge. */
async function ensureLan(lab: string, node: string, lanPort: LanPort): Promise<void> {
  const { port, switch: name, switchPort, gateway } = lanPort;
  if (!(await hasLink(lab, "router", name))) {
    const mac = bridgeMac(lab, name === "lan" ? "router" : `router ${name}`);
    await inNode(lab, "router", [`link add ${name} address ${mac} type bridge forward_delay 0`]);
  }
  await ensureLinkToRouter(lab, node, port, switchPort);
  await inNode(lab, "router", [
    `link set ${switchPort} master ${name}`,
    `link set ${name} up`,
    `addr replace ${gateway}/24 dev ${name}`,
  ]);
  await inNode(lab, node, [`link set ${port} master ${guestBridge}`]);
}

async function ensureLanPeer(lab: string, { switch: name, gateway }: LanPort): Promise<void> {
  await ensureLinkToRouter(lab, lanPeer);
  await inNode(lab, "router", [`link set ${lanPeer} master ${name}`]);
  await inNode(lab, lanPeer, [
    `addr replace ${lan.peerAddress}/24 dev eth0`,
    `route replace default via ${gateway} dev eth0`,
  ]);
}

async function ensureLinkToRouter(
  lab: string,
  node: string,
  device = "eth0",
  port = node,
): Promise<void> {
  if (!(await hasLink(lab, node, device))) {
    const [near, far] = [namespaceName(lab, node), namespaceName(lab, "router")];
    await runCommand("ip", [
      ...["link", "add", device, "netns", near, "type", "veth"],
      ...["peer", "name", port, "netns", far],
    ]);
  }
  await inNode(lab, node, [`link set ${device} up`]);
  await inNode(lab, "router", [`link set ${port} up`]);
}

async function hasLink(lab: string, node: string, link: string): Promise<boolean> {
  const { stdout } = await runCommand("ip", ["-n", namespaceName(lab, node), "-j", "link", "show"]);
  const links = JSON.parse(stdout) as { ifname?: string }[];
  return links.some(({ ifname }) => ifname === link);
}

/** One `ip` process for several lines, each an `ip` command without the word `ip`. */
async function inNode(lab: string, node: string, lines: string[]): Promise<void> {
  await runCommand("ip", ["-n", namespaceName(lab, node), "-batch", "-"], {
    input: `${lines.join("\n")}\n`,
  });
}
