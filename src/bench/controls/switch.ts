import { existsSync } from "node:fs";
import { guestBridge, namespaceName } from "../../lab/layout.ts";
import { existingNamespaces } from "../../lab/namespaces.ts";
import { runCommand } from "../../platform/command.ts";
import type { ControlGuest } from "./guest.ts";

/** The guest's tap, under the same name on both hosts. */
export const tapName = "plain-tap";
const cable = "plain-cable";
const farBridge = "plain-switch";

type Hosts = Pick<ControlGuest, "lab" | "from" | "to">;

/**
 * One switch for both hosts: the guest bridge of `from`, continued by a cable to a bridge of its own at `to` that
 * has neither address nor ARP, so that there nothing but frames takes part.
 */
export async function makeSwitch({ lab, from, to }: Hosts): Promise<void> {
  const [near, far] = [namespaceName(lab, from), namespaceName(lab, to)];
  await runCommand("ip", [
    ...["link", "add", "name", cable, "netns", near, "type", "veth"],
    ...["peer", "name", cable, "netns", far],
  ]);
  await inHost(lab, from, [...port(cable, guestBridge), ...tap(guestBridge)]);
  await inHost(lab, to, [
    // Without the delay a port forwards from its first frame on.
    `link add name ${farBridge} arp off type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    ...withoutAddress(farBridge),
    `link set dev ${farBridge} up`,
    ...port(cable, farBridge),
    ...tap(farBridge),
  ]);
}

/** Removes of it what there is. */
export async function removeSwitch({ lab, from, to }: Hosts): Promise<void> {
  for (const host of [from, to]) {
    if (!existingNamespaces(lab).includes(host)) continue;
    const { stdout } = await runCommand("ip", ["-n", namespaceName(lab, host), "-j", "link"]);
    const names = (JSON.parse(stdout) as { ifname?: string }[]).map(({ ifname }) => ifname);
    const left = [tapName, cable, farBridge].filter((name) => names.includes(name));
    await inHost(
      lab,
      host,
      left.map((name) => `link del dev ${name}`),
    );
  }
}

function tap(bridge: string): string[] {
  return [`tuntap add dev ${tapName} mode tap`, ...port(tapName, bridge)];
}

function port(device: string, bridge: string): string[] {
  return [...withoutAddress(device), `link set dev ${device} master ${bridge} up`];
}

function withoutAddress(device: string): string[] {
  return existsSync("/proc/sys/net/ipv6") ? [`link set dev ${device} addrgenmode none`] : [];
}

/** One `ip` process for several lines, each an `ip` command without the word `ip`. */
async function inHost(lab: string, host: string, lines: string[]): Promise<void> {
  await runCommand("ip", ["-n", namespaceName(lab, host), "-batch", "-"], {
    input: `${lines.join("\n")}\n`,
  });
}
