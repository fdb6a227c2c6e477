import { readFile } from "node:fs/promises";
import { CommandError, findTool, runCommand } from "../../../platform/command.ts";
import type { DaemonConfig } from "../../config.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, skipped, type Topic, warn } from "../check.ts";
import { type Drop, dropsOf } from "./evaluate.ts";
import { parseIptables } from "./iptables.ts";
import { parseRuleset } from "./nft.ts";
import type { Hook, Packet, PacketKind, RuleTable } from "./packet.ts";

/** What this host's firewall is asked about. */
export interface FirewallQuestion {
  config: Pick<DaemonConfig, "host" | "peers" | "peerApi" | "guestNetworks" | "migration">;
  /** Device of the underlay address; null when it has none. */
  underlay: string | null;
  /** Device of the address at which guests arrive, where that is another; absent where it is not. */
  arrivals?: string | null;
  /** How ipip travels here: packets of the BPF data path do not pass netfilter. */
  ipipDatapath: "kernel" | "bpf" | null;
  /** The first and the last port on which guests arrive. */
  streamPorts: readonly [number, number];
}

/** Reads this host's rules: nftables, and iptables where it is installed. */
export async function readFirewall(): Promise<RuleTable[]> {
  const { stdout } = await runCommand("nft", ["-j", "list", "ruleset"], {
    maxOutputBytes: 64 * 1024 * 1024,
  });
  const nft = parseRuleset(stdout);
  const iptables = parseIptables(await readIptables());
  // The same rules, seen through nft, which cannot tell what iptables' extensions do.
  const covered = new Set(iptables.map(({ name }) => name.replace("iptables", "ip")));
  return [...nft.filter(({ name }) => !covered.has(name)), ...iptables];
}

async function readIptables(): Promise<string> {
  try {
    findTool("iptables-save");
  } catch {
    return "";
  }
  try {
    return (await runCommand("iptables-save", [], { maxOutputBytes: 64 * 1024 * 1024 })).stdout;
  } catch (error) {
    if (error instanceof CommandError) return "";
    throw error;
  }
}

/** The first and the last port on which guests arrive: those configured, or those that the kernel gives out. */
export async function readStreamPorts({
  migration: { ports },
}: Pick<DaemonConfig, "migration">): Promise<[number, number]> {
  if (ports !== null) return [ports.first, ports.last];
  const text = await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
  const [first = 32_768, last = 60_999] = text.trim().split(/\s+/).map(Number);
  return [first, last];
}

/** Which packets of Sojourn's these rules end, each with the line that lets them pass. Pure. */
export function checkFirewall(
  tables: readonly RuleTable[],
  question: FirewallQuestion,
): DoctorCheck[] {
  return [...fromPeers(tables, question), ...forwarded(tables, question)];
}

function fromPeers(tables: readonly RuleTable[], question: FirewallQuestion): DoctorCheck[] {
  const { config, ipipDatapath, streamPorts } = question;
  const wantsVxlan = config.migration.tunnel === "vxlan";
  const [first, last] = streamPorts;
  const middle = Math.floor((first + last) / 2);
  const all: { topic: Topic; packets: Partial<Packet>[]; severe: boolean; note?: string }[] = [
    {
      topic: {
        id: "firewall-peer-api",
        why: "Without it no peer can talk to this host's daemon, and no migration begins.",
      },
      packets: [{ protocol: 6, destinationPort: config.peerApi.listen.port }],
      severe: true,
    },
    {
      topic: {
        id: "firewall-stream",
        why: `A guest's state comes in on a port of its own, one of ${first} to ${last}.`,
      },
      packets: [first, middle, last].map((port) => ({
        ...{ protocol: 6, destinationPort: port },
        ...arrivalOf(question),
      })),
      severe: true,
    },
    {
      topic: {
        id: "firewall-protocol-4",
        why: "Tunnels of kind ipip are IP protocol 4; where it is dropped a guest that is away gets nothing.",
      },
      packets: [{ protocol: 4 }],
      severe: ipipDatapath === "kernel" && !wantsVxlan,
      ...(ipipDatapath === "bpf"
        ? { note: "; the BPF data path used here goes past it, the kernel's would not" }
        : {}),
    },
    {
      topic: {
        id: "firewall-udp-4789",
        why: "Tunnels of kind vxlan are UDP to port 4789.",
      },
      packets: [{ protocol: 17, destinationPort: 4789 }],
      severe: wantsVxlan,
    },
  ];
  const isAnchor = config.host.role === "anchor";
  const kinds = all.filter(({ topic }) => !isAnchor || topic.id !== "firewall-stream");
  return [...config.peers].flatMap(([peer, { address }]) =>
    kinds.map(({ topic, packets, severe, note = "" }) => {
      const about = { ...topic, subject: peer };
      const drops = packets.flatMap((packet) => [
        ...dropsOf(tables, incoming(question, address, packet), inwards),
        ...dropsOf(tables, outgoing(question, address, packet), outwards),
      ]);
      return verdictOn(about, drops, severe, note, (drop) =>
        allowance(drop, address, packets, streamPorts),
      );
    }),
  );
}

const inwards: readonly Hook[] = ["ingress", "prerouting", "input"];
const outwards: readonly Hook[] = ["output", "postrouting"];
const through: readonly Hook[] = ["prerouting", "forward", "postrouting"];

function incoming(question: FirewallQuestion, peer: string, packet: Partial<Packet>): Packet {
  const destination = question.config.host.underlayAddress;
  return { ...anyPacket, source: peer, destination, inputDevice: question.underlay, ...packet };
}

function outgoing(question: FirewallQuestion, peer: string, packet: Partial<Packet>): Packet {
  const source = question.config.host.underlayAddress;
  const way = { source, destination: peer, inputDevice: null, outputDevice: question.underlay };
  return { ...anyPacket, ...packet, ...way };
}

/** Where the packets of a stream come in, if not with everything else. */
function arrivalOf({ config, arrivals = null }: FirewallQuestion): Partial<Packet> {
  const destination = config.migration.address;
  return destination ? { destination, inputDevice: arrivals } : {};
}

const anyPacket: Packet = {
  ...{ protocol: null, source: null, destination: null, sourcePort: null, destinationPort: null },
  ...{ inputDevice: null, outputDevice: null, connection: "new" },
};

function allowance(
  { chain }: Drop,
  peer: string,
  [packet]: readonly Partial<Packet>[],
  streamPorts: readonly [number, number],
): string {
  const isInward = inwards.includes(chain.base?.hook ?? "input");
  const port = packet?.destinationPort ?? null;
  const line = chain.insertion({
    protocol: packet?.protocol ?? null,
    source: isInward ? peer : null,
    destination: isInward ? null : peer,
    destinationPort: port,
    ...{ inputDevice: null, outputDevice: null },
  });
  if (port !== streamPorts[0]) return line;
  const separator = line.startsWith("iptables") ? ":" : "-";
  return line.replace(`dport ${port}`, `dport ${streamPorts.join(separator)}`);
}

const forwardTopic: Topic = {
  id: "firewall-forward",
  why: "Guests' packets are forwarded between the network, their bridges and the tunnels (`sj…`); a firewall must let them.",
};

/** The ways of a guest's packets through this host; `*` stands for the rest of a name of ours. */
function forwarded(tables: readonly RuleTable[], question: FirewallQuestion): DoctorCheck[] {
  const { underlay, config } = question;
  const ways = config.guestNetworks.flatMap(({ bridge }) => [
    [underlay, bridge],
    [bridge, underlay],
    [underlay, tunnel],
    [tunnel, bridge],
    [bridge, tunnel],
    [bridge, bridge],
    [awayBridge, tunnel],
    [tunnel, awayBridge],
  ]);
  const seen = new Map<string, Drop>();
  for (const [inputDevice = null, outputDevice = null] of ways) {
    const packet = { ...anyPacket, inputDevice, outputDevice };
    for (const drop of dropsOf(tables, packet, through)) {
      const key = `${drop.chain.name} ${drop.place}`;
      if (drop.certain || !seen.has(key)) seen.set(key, drop);
    }
  }
  const devices = ["sj*", ...new Set(config.guestNetworks.map(({ bridge }) => bridge))];
  const check = verdictOn(forwardTopic, [...seen.values()], true, "", ({ chain }) =>
    devices.flatMap((device) => [
      chain.insertion({ ...anyKind, inputDevice: device }),
      chain.insertion({ ...anyKind, outputDevice: device }),
    ]),
  );
  return config.guestNetworks.length === 0 && seen.size === 0
    ? [skipped(forwardTopic, "this host has no guest network")]
    : [check];
}

const tunnel = "sjt000000000";
const awayBridge = "sjb000000000";
const anyKind: PacketKind = {
  ...{ protocol: null, source: null, destination: null, destinationPort: null },
  ...{ inputDevice: null, outputDevice: null },
};

function verdictOn(
  topic: Topic,
  drops: readonly Drop[],
  severe: boolean,
  note: string,
  allow: (drop: Drop) => string | readonly string[],
): DoctorCheck {
  if (drops.length === 0) return ok(topic, "no rule of this host stops it");
  const certain = drops.filter((drop) => drop.certain);
  const told = certain.length > 0 ? certain : drops;
  const places = [...new Set(told.map(({ place }) => place))].slice(0, 4).join("; ");
  const mend = [...new Set(told.flatMap(allow))].slice(0, 12);
  const hint =
    "and put the rule where your firewall keeps its rules, or it is gone at the next boot";
  if (certain.length === 0) {
    return warn(topic, `may be stopped by ${places}${note}`, { mend, hint });
  }
  const verdict = severe ? fail : warn;
  return verdict(topic, `stopped by ${places}${note}`, { mend, hint });
}
