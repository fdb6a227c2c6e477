import { runCommand } from "../platform/command.ts";
import {
  bridgeMac,
  clientAddress,
  clientRouterAddress,
  daemonNodes,
  guestBridge,
  hostAddresses,
  type LabSize,
  namespaceName,
} from "./layout.ts";

/**
 * Links, addresses and routes of the whole lab: every node has `eth0` towards a port of the router that is
 * named after the node. What exists is left, what is missing is added.
 */
export async function ensureNetwork(lab: string, size: LabSize): Promise<void> {
  await ensureClient(lab);
  for (const host of daemonNodes(size)) await ensureHost(lab, host);
}

async function ensureClient(lab: string): Promise<void> {
  await ensureLinkToRouter(lab, "client");
  await inNode(lab, "router", [`addr replace ${clientRouterAddress}/24 dev client`]);
  await inNode(lab, "client", [
    `addr replace ${clientAddress}/24 dev eth0`,
    `route replace default via ${clientRouterAddress} dev eth0`,
  ]);
}

async function ensureHost(lab: string, host: string): Promise<void> {
  const { underlayAddress, routerAddress, guestSubnet, guestGateway } = hostAddresses(host);
  await ensureLinkToRouter(lab, host);
  await inNode(lab, "router", [
    `addr replace ${routerAddress}/24 dev ${host}`,
    `route replace ${guestSubnet} via ${underlayAddress} dev ${host}`,
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
    `addr replace ${guestGateway}/24 dev ${guestBridge}`,
  ]);
}

async function ensureLinkToRouter(lab: string, node: string): Promise<void> {
  if (!(await hasLink(lab, node, "eth0"))) {
    const [near, far] = [namespaceName(lab, node), namespaceName(lab, "router")];
    await runCommand("ip", [
      ...["link", "add", "eth0", "netns", near, "type", "veth"],
      ...["peer", "name", node, "netns", far],
    ]);
  }
  await inNode(lab, node, ["link set eth0 up"]);
  await inNode(lab, "router", [`link set ${node} up`]);
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
