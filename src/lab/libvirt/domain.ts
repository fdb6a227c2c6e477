import { runCommand } from "../../platform/command.ts";
import { derivedMac } from "../../platform/names.ts";
import type { GuestImage } from "../guest-image.ts";
import { firstHost, type GuestOptions, guestName, kernelArguments } from "../guests.ts";
import { writeIfDifferent } from "../host-files.ts";
import { guestBridge, hostNames, namespaceName } from "../layout.ts";
import { domainXml } from "./domain-xml.ts";
import { libvirtPaths } from "./paths.ts";
import { virsh } from "./virsh.ts";

export interface FoundDomain {
  host: string;
  /** As virsh says it: `running`, `paused`, `shut off`, … */
  state: string;
}

/** The tap of a domain, the same on every host, as plain migration wants it. */
export function domainTap(name: string): string {
  return `lv-${name}`;
}

/** Makes the domain's tap on a host, on the bridge of its guests. */
export async function ensureDomainTap(lab: string, host: string, name: string): Promise<void> {
  const [space, tap] = [namespaceName(lab, host), domainTap(name)];
  const { stdout } = await runCommand("ip", ["-n", space, "-j", "link", "show"]);
  const links = JSON.parse(stdout) as { ifname?: string }[];
  const isThere = links.some(({ ifname }) => ifname === tap);
  const lines = [
    ...(isThere ? [] : [`tuntap add dev ${tap} mode tap`, `link set ${tap} master ${guestBridge}`]),
    `link set ${tap} up`,
  ];
  await runCommand("ip", ["-n", space, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

/** Where the domain runs, else where it is defined, else null. */
export async function findDomain(
  lab: string,
  hosts: number,
  name: string,
): Promise<FoundDomain | null> {
  const found: FoundDomain[] = [];
  for (const host of hostNames(hosts)) {
    const { stdout } = await virsh(lab, host, ["list", "--all", "--name"]);
    if (!stdout.split("\n").includes(name)) continue;
    found.push({ host, state: (await virsh(lab, host, ["domstate", name])).stdout.trim() });
  }
  return found.find(({ state }) => state !== "shut off") ?? found[0] ?? null;
}

/** Writes the guest's domain XML and gives it to the first host's libvirtd, which keeps it. */
export async function defineDomain(
  lab: string,
  number: number,
  image: GuestImage,
  options: GuestOptions,
): Promise<void> {
  const name = guestName(number);
  const path = libvirtPaths(lab, firstHost).domain(name);
  const { kernel, initrd } = image;
  const text = domainXml({
    ...{ name, kernel, initrd, memoryMib: options.memoryMib },
    append: kernelArguments(number, options.append),
    mac: derivedMac(`lab ${lab} guest ${name}`),
    tapName: domainTap(name),
  });
  writeIfDifferent(path, text);
  await virsh(lab, firstHost, ["define", path]);
}

/** Boots a domain that is defined on the host. */
export async function startDomain(lab: string, host: string, name: string): Promise<void> {
  await virsh(lab, host, ["start", name]);
}
