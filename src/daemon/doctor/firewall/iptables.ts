import {
  type Answer,
  anyOf,
  type Chain,
  type Condition,
  type Hook,
  inPrefix,
  inRange,
  matchesDevice,
  not,
  type Packet,
  type PacketKind,
  protocolNumbers,
  type Rule,
  type RuleTable,
  same,
  type Verdict,
} from "./packet.ts";

const hooks: Readonly<Record<string, Hook>> = {
  PREROUTING: "prerouting",
  INPUT: "input",
  FORWARD: "forward",
  OUTPUT: "output",
  POSTROUTING: "postrouting",
};

/** The tables of an `iptables-save` text. Lines that are not understood make an answer one that cannot be told. */
export function parseIptables(text: string): RuleTable[] {
  const tables: { name: string; policies: Map<string, string>; rules: Map<string, Rule[]> }[] = [];
  for (const line of text.split("\n")) {
    const table = tables.at(-1);
    if (line.startsWith("*")) {
      tables.push({ name: line.slice(1).trim(), policies: new Map(), rules: new Map() });
    } else if (table !== undefined && line.startsWith(":")) {
      const [name = "", policy = ""] = line.slice(1).split(" ");
      table.policies.set(name, policy);
    } else if (table !== undefined && line.startsWith("-A ")) {
      const words = wordsOf(line);
      const chain = words[1] ?? "";
      const rules = table.rules.get(chain) ?? [];
      rules.push(ruleOf(words.slice(2), line, table.name));
      table.rules.set(chain, rules);
    }
  }
  return tables.map(({ name, policies, rules }) => ({
    name: `iptables ${name}`,
    chains: new Map(
      [...policies].map(([chain, policy]) => [
        chain,
        chainOf(name, chain, policy, rules.get(chain) ?? []),
      ]),
    ),
  }));
}

function chainOf(table: string, name: string, policy: string, rules: readonly Rule[]): Chain {
  const hook = hooks[name];
  const base =
    hook === undefined
      ? null
      : ({
          hook,
          priority: 0,
          policy: policy === "DROP" ? "drop" : "accept",
          device: null,
        } as const);
  const insertion = (kind: PacketKind) =>
    ["iptables", "-t", table, "-I", name, ...matchWords(kind), "-j", "ACCEPT"].join(" ");
  return { name: `iptables ${table} ${name}`, rules, base, insertion };
}

function ruleOf(words: readonly string[], line: string, table: string): Rule {
  const conditions: Condition[] = [];
  let verdict: Verdict | null = null;
  let isNegated = false;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? "";
    const value = words[index + 1] ?? "";
    if (word === "!") {
      isNegated = true;
      continue;
    }
    if (word === "-j" || word === "-g") verdict = verdictOf(word, value);
    else if (!harmless.has(word)) {
      const condition = conditionOf(word, value);
      conditions.push(isNegated ? (packet) => not(condition(packet)) : condition);
    }
    isNegated = false;
    while (index + 1 < words.length && !/^(-|!$)/.test(words[index + 1] ?? "")) index += 1;
  }
  return { conditions, verdict, place: `iptables -t ${table} ${line}`.slice(0, 300) };
}

/** Options that say nothing about the packet. */
const harmless = new Set(["-m", "--comment", "-c", "--reject-with", "--log-prefix", "--log-level"]);

function verdictOf(word: string, target: string): Verdict | null {
  if (target === "ACCEPT") return { kind: "accept" };
  if (target === "DROP" || target === "REJECT") return { kind: "drop" };
  if (target === "RETURN") return { kind: "return" };
  // Targets that only log, mark or count have no chain of their name, and a jump to none does nothing.
  return { kind: word === "-g" ? "goto" : "jump", chain: target };
}

function conditionOf(option: string, value: string): Condition {
  switch (option) {
    case "-p":
      return ({ protocol }) => protocolIs(protocol, value);
    case "-s":
      return ({ source }) => prefixIs(source, value);
    case "-d":
      return ({ destination }) => prefixIs(destination, value);
    case "-i":
      return ({ inputDevice }) => matchesDevice(inputDevice, value, "+");
    case "-o":
      return ({ outputDevice }) => matchesDevice(outputDevice, value, "+");
    case "--dport":
    case "--dports":
      return (packet) => portIs(packet, packet.destinationPort, value);
    case "--sport":
    case "--sports":
      return (packet) => portIs(packet, packet.sourcePort, value);
    case "--state":
    case "--ctstate":
      return ({ connection }) => value.toLowerCase().split(",").includes(connection);
    default:
      return () => null;
  }
}

function protocolIs(protocol: number | null, value: string): Answer {
  if (value === "all" || value === "0") return true;
  const wanted = /^\d{1,3}$/.test(value) ? Number(value) : (protocolNumbers[value] ?? -1);
  return same(protocol, wanted);
}

function prefixIs(address: string | null, value: string): Answer {
  const [prefix = "", length = "32"] = value.split("/");
  return inPrefix(address, prefix, Number(length));
}

function portIs({ protocol }: Packet, port: number | null, value: string): Answer {
  if (protocol !== null && protocol !== 6 && protocol !== 17) return false;
  return anyOf(
    value.split(",").map((part) => {
      const [first = "", last = first] = part.split(":");
      return inRange(port, Number(first), Number(last));
    }),
  );
}

function matchWords(kind: PacketKind): string[] {
  const { protocol, destinationPort } = kind;
  const hasPort = destinationPort !== null && (protocol === 6 || protocol === 17);
  const option = (name: string, value: string | null) => (value === null ? [] : [name, value]);
  return [
    ...option("-i", kind.inputDevice?.replace("*", "+") ?? null),
    ...option("-o", kind.outputDevice?.replace("*", "+") ?? null),
    ...option("-s", kind.source),
    ...option("-d", kind.destination),
    ...(protocol === null
      ? []
      : ["-p", protocol === 6 ? "tcp" : protocol === 17 ? "udp" : `${protocol}`]),
    ...(hasPort ? ["--dport", String(destinationPort)] : []),
  ];
}

/** Split at blanks, apart from those in double quotes. */
function wordsOf(line: string): string[] {
  return (line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []).map((word) => word.replace(/^"(.*)"$/, "$1"));
}
