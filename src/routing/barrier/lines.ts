import { findTool } from "../../platform/command.ts";
import { temporaryProtocol } from "../desired.ts";
import { hasIpv6 } from "../sysctls.ts";
import type { Step } from "./steps.ts";

/** Next hop inside a barrier namespace; it exists there only. */
export const insideGateway = "169.254.0.1";
/** The veth's name inside. */
export const insideLink = "barrier0";
export const mark = String(temporaryProtocol);

/** A namespace without IPv6, so that nothing is said on the link that was not asked for. */
export function namespaceSteps(namespace: string): Step[] {
  const add: Step = {
    run: ["ip", "netns", "add", namespace],
    undo: ["ip", "netns", "del", namespace],
  };
  if (!hasIpv6()) return [add];
  const switches = ["all", "default"].map(
    (scope) => `/proc/sys/net/ipv6/conf/${scope}/disable_ipv6`,
  );
  const run = ["ip", "netns", "exec", namespace, findTool("tee"), ...switches];
  return [add, { run, input: "1" }];
}

/** A veth between the host (`link`) and the namespace, both ends down. */
export function vethStep(options: {
  namespace: string;
  link: string;
  linkMac: string;
  insideMac: string;
  mtu: number;
}): Step {
  const { namespace, link } = options;
  const mtu = String(options.mtu);
  return {
    run: [
      ...["ip", "link", "add", "name", link, "address", options.linkMac, "mtu", mtu],
      ...["type", "veth", "peer", "name", insideLink, "address", options.insideMac, "mtu", mtu],
      ...["netns", namespace],
    ],
    undo: ["ip", "link", "del", "dev", link],
  };
}

/** A line of `ip`, for before the host's end is up: it is unknown to IPv6. None where there is no IPv6. */
export function withoutIpv6(link: string): string[][] {
  return hasIpv6() ? [["link", "set", "dev", link, "addrgenmode", "none"]] : [];
}

/** Inside: the address, no ARP at all, everything by way of `gatewayMac`. */
export function insideStep(options: {
  namespace: string;
  address: string;
  gatewayMac: string;
}): Step {
  const { namespace, address, gatewayMac } = options;
  const onLink = ["dev", insideLink];
  return {
    run: ["ip", "-n", namespace],
    lines: [
      ["link", "set", ...onLink, "arp", "off", "up"],
      ["address", "add", `${address}/32`, ...onLink],
      ["neigh", "replace", insideGateway, "lladdr", gatewayMac, ...onLink, "nud", "permanent"],
      ["route", "add", "default", "via", insideGateway, ...onLink, "onlink"],
    ],
  };
}
