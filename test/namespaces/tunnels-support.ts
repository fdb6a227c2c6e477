import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findTool, runCommand } from "../../src/platform/command.ts";
import type { Run } from "../../src/tunnels/steps.ts";
import type { TunnelSpec, Tunnels } from "../../src/tunnels/tunnel.ts";
import { createTunnels } from "../../src/tunnels/tunnels.ts";

/** One host: its namespace, a namespace behind it (`10.N.0.10`) and its tunnels. */
export interface TunnelHost {
  namespace: string;
  behind: string;
  underlayAddress: string;
  innerAddress: string;
  innerSubnet: string;
  tunnels: Tunnels;
  run: Run;
  /** Packets that the host's stack has put together from fragments so far. */
  reassembled(): Promise<number>;
}

/** Three hosts in different subnets around a router, each with a subnet of its own behind it. */
export interface TunnelBed extends AsyncDisposable {
  /** Where `capture` sees the first host's underlay: the router's port. */
  wireOfFirst: { namespace: string; device: string; neighbour: string };
  hosts: [TunnelHost, TunnelHost, TunnelHost];
  runtimeFolder: string;
  setRouterMtu(device: string, mtu: number): Promise<void>;
  /** Loads nftables rules on the router, in a chain that sees what arrives. */
  arrivalRule(...rule: string[]): Promise<void>;
  /** Makes the tunnel at both ends and routes each end's inner subnet through it. */
  connect(kind: TunnelSpec["kind"], from: TunnelHost, to: TunnelHost): Promise<void>;
  /** Starts the echo server of `tunnels-stream.ts` behind a host. */
  serve(host: TunnelHost, port: number): Promise<void>;
  /** Sends through an echo server; `same` when every byte came back. */
  send(from: TunnelHost, to: TunnelHost, port: number, bytes: number): Promise<string>;
}

export async function createTunnelBed(): Promise<TunnelBed> {
  const mark = `sjtest-tun${process.pid}`;
  const router = `${mark}-r`;
  const namespaces = [router];
  const children: ChildProcess[] = [];
  const runtimeFolder = await mkdtemp(join(tmpdir(), "sojourn-tunnels-"));
  const removeAll = async () => {
    for (const child of children) await end(child);
    for (const name of namespaces) {
      await runCommand("ip", ["netns", "del", name], { acceptExitCodes: [1] });
    }
    await rm(runtimeFolder, { recursive: true, force: true });
  };
  try {
    await addNamespace(router);
    const hosts: TunnelHost[] = [];
    for (const number of [1, 2, 3]) {
      const namespace = `${mark}-h${number}`;
      const behind = `${mark}-b${number}`;
      namespaces.push(namespace, behind);
      hosts.push(await addHost({ router, namespace, behind, number, runtimeFolder }));
    }
    const [first, second, third] = hosts as [TunnelHost, TunnelHost, TunnelHost];
    return {
      wireOfFirst: { namespace: router, device: "eth1", neighbour: first.underlayAddress },
      hosts: [first, second, third],
      runtimeFolder,
      setRouterMtu: (device, mtu) =>
        ip("-n", router, "link", "set", "dev", device, "mtu", `${mtu}`),
      arrivalRule: async (...rule) => {
        const hook = "{ type filter hook prerouting priority 0; }";
        const nft = (...words: string[]) => runIn(router)("nft", words);
        await nft("add", "table", "ip", "t");
        await nft("add", "chain", "ip", "t", "f", hook);
        await nft("add", "rule", "ip", "t", "f", ...rule);
      },
      connect: async (kind, from, to) => {
        await connectEnd(kind, from, to);
        await connectEnd(kind, to, from);
      },
      serve: async (host, port) => {
        const child = spawn(findTool("ip"), stream(host, "serve", host.innerAddress, `${port}`), {
          stdio: ["ignore", "pipe", "inherit"],
        });
        children.push(child);
        await once(child.stdout, "data");
      },
      send: async (from, to, port, bytes) => {
        const args = stream(from, "send", to.innerAddress, `${port}`, `${bytes}`);
        return (await runCommand("ip", args, { timeoutMs: 30_000 })).stdout.trim();
      },
      [Symbol.asyncDispose]: removeAll,
    };
  } catch (error) {
    await removeAll();
    throw error;
  }
}

export function specOf(kind: TunnelSpec["kind"], from: TunnelHost, to: TunnelHost): TunnelSpec {
  return { kind, localAddress: from.underlayAddress, remoteAddress: to.underlayAddress };
}

/** A runner whose commands enter a network namespace. */
export function runIn(namespace: string): Run {
  return (program, args, options) =>
    runCommand("ip", ["netns", "exec", namespace, findTool(program), ...args], options);
}

/** What a host's kernel has, in a form that can be compared; counters and volatile fields left out. */
export async function snapshot({ run }: TunnelHost): Promise<unknown> {
  const questions = [
    ["ip", "-j", "link", "show"],
    ["tc", "qdisc", "show"],
    ["ip", "neigh", "show", "nud", "permanent"],
    ["tc", "filter", "show", "dev", "eth0", "ingress"],
    ["tc", "filter", "show", "dev", "eth0", "egress"],
  ] as const;
  const answers = await Promise.all(
    questions.map(async ([program, ...args]) => (await run(program, args)).stdout),
  );
  const [links = "", qdiscs = "", neighbours, ...classifiers] = answers;
  return {
    links: (JSON.parse(links) as object[]).map((link) => ({ ...link, ifindex: undefined })),
    qdiscs: qdiscs.replace(/direct_packets_stat \d+ /, ""),
    classifiers,
    neighbours,
  };
}

/** Three echo requests of exactly `bytes` (IP length), DF set; rejects unless one comes back. */
export async function ping(
  from: TunnelHost,
  to: TunnelHost,
  bytes: number,
  ...options: string[]
): Promise<void> {
  const size = ["-s", `${bytes - 28}`, "-M", "do", ...options];
  await runIn(from.behind)("ping", ["-c", "3", "-i", "0.05", "-W", "1", ...size, to.innerAddress]);
}

async function addHost(options: {
  router: string;
  namespace: string;
  behind: string;
  number: number;
  runtimeFolder: string;
}): Promise<TunnelHost> {
  const { router, namespace, behind, number, runtimeFolder } = options;
  await addNamespace(namespace);
  await addNamespace(behind);
  const underlayAddress = `172.16.${number}.2`;
  const innerAddress = `10.${number}.0.10`;
  const innerSubnet = `10.${number}.0.0/24`;
  await addLink(
    { namespace, device: "eth0", address: `${underlayAddress}/24` },
    {
      namespace: router,
      device: `eth${number}`,
      address: `172.16.${number}.1/24`,
    },
  );
  await addLink(
    { namespace, device: "eth1", address: `10.${number}.0.1/24` },
    {
      namespace: behind,
      device: "eth0",
      address: `${innerAddress}/24`,
    },
  );
  await ip("-n", namespace, "route", "add", "default", "via", `172.16.${number}.1`);
  await ip("-n", behind, "route", "add", "default", "via", `10.${number}.0.1`);
  const run = runIn(namespace);
  // As `prepareUnderlay` does at a daemon's start; that it is never removed is part of every snapshot.
  await run("tc", ["qdisc", "add", "dev", "eth0", "clsact"]);
  const tunnels = createTunnels({ run, runtimeFolder, ipipDatapath: "bpf" });
  const reassembled = async () => {
    const [names, values] = (await run("grep", ["^Ip:", "/proc/net/snmp"])).stdout.split("\n");
    return Number(values?.split(" ")[names?.split(" ").indexOf("ReasmOKs") ?? -1]);
  };
  const addresses = { underlayAddress, innerAddress, innerSubnet };
  return { namespace, behind, ...addresses, tunnels, run, reassembled };
}

async function connectEnd(kind: TunnelSpec["kind"], from: TunnelHost, to: TunnelHost) {
  const { interfaceName, nextHop } = await from.tunnels.ensure(specOf(kind, from, to));
  const via = nextHop === null ? [] : ["via", nextHop, "onlink"];
  await from.run("ip", ["route", "replace", to.innerSubnet, ...via, "dev", interfaceName]);
}

interface LinkEnd {
  namespace: string;
  device: string;
  address: string;
}

async function addLink(one: LinkEnd, other: LinkEnd): Promise<void> {
  const peer = ["peer", "name", other.device, "netns", other.namespace];
  await ip("link", "add", one.device, "netns", one.namespace, "type", "veth", ...peer);
  for (const { namespace, device, address } of [one, other]) {
    await ip("-n", namespace, "link", "set", device, "addrgenmode", "none");
    await ip("-n", namespace, "address", "add", address, "dev", device);
    await ip("-n", namespace, "link", "set", device, "up");
  }
}

async function addNamespace(name: string): Promise<void> {
  await ip("netns", "add", name);
  await ip("-n", name, "link", "set", "lo", "up");
  // Strict reverse-path filtering everywhere else: a tunnel device has to bring its own setting.
  const settings = ["net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=1"];
  await runIn(name)("sysctl", ["-q", "-w", ...settings]);
}

function stream(host: TunnelHost, ...args: string[]): string[] {
  const script = fileURLToPath(new URL("./tunnels-stream.ts", import.meta.url));
  return ["netns", "exec", host.behind, process.execPath, script, ...args];
}

async function ip(...args: string[]): Promise<void> {
  await runCommand("ip", args);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
