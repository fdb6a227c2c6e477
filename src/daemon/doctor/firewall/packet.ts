/** A packet as a firewall's rules see it. What is null is not known, or differs from packet to packet. */
export interface Packet {
  /** IP protocol number. */
  protocol: number | null;
  source: string | null;
  destination: string | null;
  sourcePort: number | null;
  destinationPort: number | null;
  inputDevice: string | null;
  outputDevice: string | null;
  /** As conntrack calls a packet of no flow that it knows. */
  connection: "new";
}

/** Whether a packet matches: yes, no, or not to be told. */
export type Answer = boolean | null;

export type Condition = (packet: Packet) => Answer;

/** Where in the kernel the chains are asked (netfilter's hooks; `ingress` is a device's). */
export type Hook = "ingress" | "prerouting" | "input" | "forward" | "output" | "postrouting";

export type Verdict =
  | { kind: "accept" | "drop" | "return" }
  | { kind: "jump" | "goto"; chain: string }
  /** By the key in a verdict map: the first whose condition holds. */
  | { kind: "map"; entries: readonly { condition: Condition; verdict: Verdict }[] };

export interface Rule {
  conditions: readonly Condition[];
  /** Null for a rule that only counts, logs or changes. */
  verdict: Verdict | null;
  /** How an operator finds it. */
  place: string;
}

export interface Chain {
  name: string;
  rules: readonly Rule[];
  /** Null for chains that are only jumped to. */
  base: { hook: Hook; priority: number; policy: "accept" | "drop"; device: string | null } | null;
  /** The line that puts a rule which lets such packets pass before all others of it, for a shell. */
  insertion: (kind: PacketKind) => string;
}

/** Chains that can jump to one another. */
export interface RuleTable {
  name: string;
  chains: ReadonlyMap<string, Chain>;
}

/** What a rule must let pass, for the line that mends it. */
export interface PacketKind {
  protocol: number | null;
  source: string | null;
  destination: string | null;
  destinationPort: number | null;
  inputDevice: string | null;
  outputDevice: string | null;
}

export const protocolNumbers: Readonly<Record<string, number>> = {
  icmp: 1,
  ipencap: 4,
  ipip: 4,
  ipv4: 4,
  tcp: 6,
  udp: 17,
  gre: 47,
  esp: 50,
};

/** Equality with what may not be known. */
export function same<Value>(known: Value | null, wanted: Value): Answer {
  return known === null ? null : known === wanted;
}

export function not(answer: Answer): Answer {
  return answer === null ? null : !answer;
}

/** Whether one of them is a yes; not to be told when none is, but one cannot be told. */
export function anyOf(answers: readonly Answer[]): Answer {
  if (answers.includes(true)) return true;
  return answers.includes(null) ? null : false;
}

/** A device name against a pattern that may end in `wildcard`. */
export function matchesDevice(device: string | null, pattern: string, wildcard: "*" | "+"): Answer {
  if (device === null) return null;
  if (!pattern.endsWith(wildcard)) return device === pattern;
  return device.startsWith(pattern.slice(0, -1));
}

/** An IPv4 address against a prefix; null for what is not IPv4. */
export function inPrefix(address: string | null, prefix: string, length: number): Answer {
  if (address === null) return null;
  const [one, other] = [toNumber(address), toNumber(prefix)];
  if (one === null || other === null || !(length >= 0 && length <= 32)) return null;
  const size = 2 ** (32 - length);
  return Math.floor(one / size) === Math.floor(other / size);
}

export function inRange(value: number | null, first: number, last: number): Answer {
  if (value === null || Number.isNaN(first) || Number.isNaN(last)) return null;
  return value >= first && value <= last;
}

/** A dotted IPv4 address as a number; null when it is none. */
export function toNumber(address: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  if (match === null) return null;
  const octets = match.slice(1).map(Number);
  if (octets.some((octet) => octet > 255)) return null;
  return octets.reduce((value, octet) => value * 256 + octet, 0);
}
