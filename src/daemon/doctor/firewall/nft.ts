import { SojournError } from "../../../platform/errors.ts";
import { nftTable } from "../../../routing/desired.ts";
import { conditionOf } from "./nft-match.ts";
import type { Chain, Condition, Hook, PacketKind, Rule, RuleTable, Verdict } from "./packet.ts";

type Json = Record<string, unknown>;

/** Families that see IPv4 packets of this host. */
const families = ["ip", "inet", "netdev"];
const hooks: readonly string[] = [
  "ingress",
  "prerouting",
  "input",
  "forward",
  "output",
  "postrouting",
];

/**
 * The tables of `nft -j list ruleset` (libnftables-json(5)) apart from our own. What is not understood in a rule makes
 * its answer one that cannot be told.
 * @throws SojournError `SOJ_DOCTOR_OUTPUT` for anything but such a listing.
 */
export function parseRuleset(text: string): RuleTable[] {
  const objects = listing(text);
  const named = (key: string) => objects.map((entry) => entry[key]).filter(isObject);
  const tableKey = (one: Json) => `${one.family} ${one.table}`;
  const sets = new Map(
    [...named("set"), ...named("map")].map((set) => [`${tableKey(set)} ${set.name}`, set.elem]),
  );
  const rules = Map.groupBy(named("rule"), (rule) => `${tableKey(rule)} ${rule.chain}`);
  return named("table")
    .filter(({ family, name }) => families.includes(String(family)) && name !== nftTable)
    .map(({ family, name }) => {
      const table = `${family} ${name}`;
      const elements = (set: string) => sets.get(`${table} ${set}`);
      const chains = named("chain")
        .filter((chain) => tableKey(chain) === table)
        .map((chain) => chainOf(table, chain, rules.get(`${table} ${chain.name}`) ?? [], elements));
      return { name: table, chains: new Map(chains.map(([key, chain]) => [key, chain])) };
    });
}

type Elements = (set: string) => unknown;

function chainOf(
  table: string,
  chain: Json,
  rules: readonly Json[],
  elements: Elements,
): [string, Chain] {
  const name = `${table} ${chain.name}`;
  const base = hooks.includes(String(chain.hook))
    ? {
        hook: chain.hook as Hook,
        priority: Number(chain.prio ?? 0),
        policy: chain.policy === "drop" ? ("drop" as const) : ("accept" as const),
        device: typeof chain.dev === "string" ? chain.dev : null,
      }
    : null;
  const read = rules.map((rule) => ruleOf(name, rule, elements));
  const insertion = (kind: PacketKind) =>
    ["nft insert rule", name, ...matchWords(kind), "accept"].join(" ");
  return [String(chain.name), { name, base, rules: read, insertion }];
}

function ruleOf(chain: string, rule: Json, elements: Elements): Rule {
  const conditions: Condition[] = [];
  let verdict: Verdict | null = null;
  for (const statement of list(rule.expr).filter(isObject)) {
    const [kind = ""] = Object.keys(statement);
    const value = statement[kind];
    verdict ??= verdictOf(kind, value, elements);
    if (kind === "match") conditions.push(conditionOf(value, elements));
    // Whether these let a packet go on depends on what came before it, or on an extension of iptables.
    else if (["limit", "quota", "xt", "ct count", "connlimit"].includes(kind)) {
      conditions.push(() => null);
    }
  }
  return { conditions, verdict, place: `rule ${rule.handle} of ${chain}` };
}

function verdictOf(kind: string, value: unknown, elements: Elements): Verdict | null {
  if (kind === "accept" || kind === "drop" || kind === "return") return { kind };
  if (kind === "reject") return { kind: "drop" };
  if ((kind === "jump" || kind === "goto") && isObject(value)) {
    return { kind, chain: String(value.target) };
  }
  if (kind === "vmap" && isObject(value)) return mapVerdict(value, elements);
  return null;
}

function mapVerdict({ key, data }: Json, elements: Elements): Verdict {
  const pairs =
    typeof data === "string" ? elements(data.slice(1)) : isObject(data) ? data.set : undefined;
  const entries = list(pairs).flatMap((pair) => {
    const [right, result] = list(pair);
    if (!isObject(result)) return [];
    const [kind = ""] = Object.keys(result);
    const verdict = verdictOf(kind, result[kind], elements);
    if (verdict === null) return [];
    return [{ condition: conditionOf({ op: "==", left: key, right }, elements), verdict }];
  });
  return { kind: "map", entries };
}

function matchWords(kind: PacketKind): string[] {
  const { protocol, destinationPort } = kind;
  const transport = protocol === 6 ? "tcp" : protocol === 17 ? "udp" : null;
  return [
    ...(kind.inputDevice === null ? [] : [`iifname ${quoted(kind.inputDevice)}`]),
    ...(kind.outputDevice === null ? [] : [`oifname ${quoted(kind.outputDevice)}`]),
    ...(kind.source === null ? [] : [`ip saddr ${kind.source}`]),
    ...(kind.destination === null ? [] : [`ip daddr ${kind.destination}`]),
    ...(transport !== null && destinationPort !== null
      ? [`${transport} dport ${destinationPort}`]
      : protocol === null
        ? []
        : [`ip protocol ${protocol}`]),
  ];
}

/** For a shell, too: `nft` puts its arguments together again. */
function quoted(device: string): string {
  return device.includes("*") ? `'"${device}"'` : device;
}

function listing(text: string): Json[] {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value) && Array.isArray(value.nftables)) return value.nftables.filter(isObject);
  } catch (cause) {
    throw misunderstood(cause);
  }
  throw misunderstood(undefined);
}

function misunderstood(cause: unknown): SojournError {
  const message = "nft -j list ruleset printed what is not understood";
  return new SojournError("SOJ_DOCTOR_OUTPUT", message, { cause });
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
