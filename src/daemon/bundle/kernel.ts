import { runCommand } from "../../platform/command.ts";
import { reasonOf } from "../../platform/errors.ts";
import { isOurInterface } from "../../platform/names.ts";
import { nftTable, ourProtocol } from "../../routing/desired.ts";
import { readInterfaces } from "../doctor/host/interfaces.ts";

/** Commands that are run at most: a host may have hundreds of guests' devices. */
const mostCommands = 300;

/**
 * What of ours is in the kernel, as `ip`, `nft` and `tc` print it, and the devices it rests on.
 * @param devices by name, or by an address of theirs.
 */
export async function kernelObjects(devices: readonly string[]): Promise<string> {
  const interfaces = await readInterfaces();
  const ours = interfaces.filter(({ name }) => isOurInterface(name)).map(({ name }) => name);
  const present = interfaces
    .filter(({ name, addresses }) =>
      devices.some((one) => one === name || addresses.some(({ address }) => address === one)),
    )
    .map(({ name }) => name);
  const lines: string[][] = [
    ["ip", "-d", "rule", "show"],
    ["ip", "-d", "route", "show", "table", "all", "proto", String(ourProtocol)],
    ["ip", "-d", "neigh", "show", "proxy"],
    ["ip", "-d", "neigh", "show", "nud", "permanent"],
    ["ip", "netns", "list"],
    ["nft", "list", "table", "ip", nftTable],
    ["nft", "list", "table", "bridge", nftTable],
    ...present.map((name) => ["ip", "address", "show", "dev", name]),
    ...present.map((name) => ["tc", "-s", "qdisc", "show", "dev", name]),
    ...[...present, ...ours].map((name) => ["ip", "-d", "-s", "link", "show", "dev", name]),
    ...[...present, ...ours].flatMap((name) =>
      ["ingress", "egress"].map((side) => ["tc", "-s", "filter", "show", "dev", name, side]),
    ),
  ];
  const printed: string[] = [];
  for (const [program = "", ...args] of lines.slice(0, mostCommands)) {
    printed.push(`$ ${[program, ...args].join(" ")}`, await outputOf(program, args));
  }
  return printed.join("\n");
}

/** What a program prints; why not, when it fails. */
export async function outputOf(
  program: string,
  args: readonly string[],
  maxOutputBytes = 1024 * 1024,
): Promise<string> {
  try {
    return (await runCommand(program, args, { maxOutputBytes })).stdout;
  } catch (error) {
    return `(${reasonOf(error)})`;
  }
}
