import { runCommand } from "../../platform/command.ts";
import { temporaryProtocol } from "../desired.ts";
import { routeArgs, ruleArgs } from "../diff-routes.ts";
import { readSnapshot } from "../netlink/reader.ts";
import { RouteNetlink } from "../netlink/socket.ts";
import { namespaceOfLink, namespacePrefix } from "./names.ts";
import { removeQuietly } from "./steps.ts";

/**
 * Removes what a barrier leaves when its daemon dies: veths, namespaces, rules and routes with the temporary
 * mark. Only for when no barrier of this host is open. A namespace is removed when its veth ends here, or
 * when it has no veth at all.
 * @returns what was removed, for the log.
 */
export async function removeBarrierLeftovers(): Promise<string[]> {
  using netlink = new RouteNetlink();
  const { links, rules, routes } = await readSnapshot(netlink);
  const mark = String(temporaryProtocol);
  const ownLinks = links.filter(({ name }) => namespaceOfLink(name) !== null);
  const namespaces = new Set(ownLinks.map(({ name }) => namespaceOfLink(name)));
  const lines = [
    ...rules
      .filter(({ protocol }) => protocol === temporaryProtocol)
      .map((rule) => ["ip", "rule", "del", ...ruleArgs(rule), "protocol", mark]),
    ...routes
      .filter(({ protocol }) => protocol === temporaryProtocol)
      .map((route) => ["ip", "route", "del", ...routeArgs(route), "proto", mark]),
    ...ownLinks.map(({ name }) => ["ip", "link", "del", "dev", name]),
  ];
  for (const namespace of await barrierNamespaces()) {
    if (namespaces.has(namespace) || (await isEmpty(namespace))) {
      lines.push(["ip", "netns", "del", namespace]);
    }
  }
  for (const line of lines) await removeQuietly(line);
  return lines.map((line) => line.join(" "));
}

async function barrierNamespaces(): Promise<string[]> {
  const { stdout } = await runCommand("ip", ["netns", "list"]);
  const names = stdout.split("\n").map((line) => line.split(" ")[0] ?? "");
  return names.filter((name) => name.startsWith(namespacePrefix));
}

async function isEmpty(namespace: string): Promise<boolean> {
  const { stdout, exitCode } = await runCommand("ip", ["-n", namespace, "-o", "link"], {
    acceptExitCodes: [1, 255],
  });
  return exitCode === 0 && !stdout.includes("barrier0");
}
