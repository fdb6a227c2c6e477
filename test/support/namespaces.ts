import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { type CommandOptions, type CommandResult, runCommand } from "../../src/platform/command.ts";
import { comparableRuleset } from "./ruleset.ts";

/** Node 24 as installed in this checkout, for programs that tests start in a namespace. */
export const nodePath = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));

/** A network namespace that lives until it is disposed. */
export interface Namespace extends AsyncDisposable {
  name: string;
  /** Runs a program inside. */
  run(program: string, args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** `ip` inside; the line is split at blanks. */
  ip(line: string): Promise<string>;
  /** Writes a sysctl inside, e.g. `net/ipv4/ip_forward`. */
  sysctl(path: string, value: string): Promise<void>;
}

/**
 * Makes a network namespace with a name that is free, loopback up and IPv6 off.
 * @param label appears in the name, for whoever looks at a leftover.
 */
export async function createNamespace(label: string): Promise<Namespace> {
  const name = `sojourn-test-${label}-${randomBytes(3).toString("hex")}`;
  await runCommand("ip", ["netns", "add", name]);
  const namespace: Namespace = {
    name,
    run: (program, args, options) =>
      runCommand("ip", ["netns", "exec", name, program, ...args], options),
    ip: async (line) => (await runCommand("ip", ["-n", name, ...line.split(" ")])).stdout,
    sysctl: async (path, value) => {
      await namespace.run("tee", [`/proc/sys/${path}`], { input: value });
    },
    [Symbol.asyncDispose]: async () => {
      await endProcesses(name);
      await runCommand("ip", ["netns", "del", name]);
    },
  };
  try {
    await namespace.sysctl("net/ipv6/conf/all/disable_ipv6", "1");
    await namespace.sysctl("net/ipv6/conf/default/disable_ipv6", "1");
    await namespace.ip("link set dev lo up");
  } catch (error) {
    await namespace[Symbol.asyncDispose]();
    throw error;
  }
  return namespace;
}

export interface VethEnd {
  namespace: Namespace;
  device: string;
  /** With its prefix length. */
  address?: string;
  mac?: string;
}

/** Joins two namespaces with a veth pair, both ends up. It goes with either namespace. */
export async function connect(a: VethEnd, b: VethEnd): Promise<void> {
  await a.namespace.ip(
    `link add name ${a.device} type veth peer name ${b.device} netns ${b.namespace.name}`,
  );
  for (const end of [a, b]) {
    if (end.mac !== undefined)
      await end.namespace.ip(`link set dev ${end.device} address ${end.mac}`);
    if (end.address !== undefined) {
      await end.namespace.ip(`address add ${end.address} dev ${end.device}`);
    }
    await end.namespace.ip(`link set dev ${end.device} up`);
  }
}

/** All that the kernel knows of the namespace's network, as text that can be compared. */
export async function describeNamespace(namespace: Namespace): Promise<Record<string, string>> {
  const read = async (program: string, line: string) =>
    (await namespace.run(program, line.split(" "))).stdout;
  const [links, addresses, routes, rules, neighbours, proxies, fdb, ruleset] = await Promise.all([
    read("ip", "-d link"),
    read("ip", "address"),
    read("ip", "-d route show table all"),
    read("ip", "-d rule"),
    read("ip", "-d neigh show nud permanent"),
    read("ip", "-d neigh show proxy"),
    read("bridge", "fdb"),
    read("nft", "list ruleset"),
  ]);
  return {
    links: withoutIndexes(links),
    addresses: withoutIndexes(addresses),
    routes: routes.replaceAll(" linkdown", ""),
    rules,
    neighbours,
    proxies,
    fdb,
    ruleset: comparableRuleset(ruleset),
  };
}

/** Pids in the namespace are asked of the kernel, so only its own processes are ended. */
async function endProcesses(name: string): Promise<void> {
  const { stdout } = await runCommand("ip", ["netns", "pids", name]);
  for (const pid of stdout.split("\n").filter((line) => line !== "")) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

function withoutIndexes(text: string): string {
  return text
    .replaceAll(/^\d+: /gm, "")
    .replaceAll(/@if\d+/g, "@")
    .replaceAll(/ \w+_timer +\S+/g, "")
    .replaceAll(/ (state|tso_max_size) \S+/g, "")
    .replaceAll(/NO-CARRIER,|,LOWER_UP/g, "");
}
