import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkFirewall,
  type FirewallQuestion,
} from "../../../../src/daemon/doctor/firewall/checks.ts";
import { parseIptables } from "../../../../src/daemon/doctor/firewall/iptables.ts";
import { parseRuleset } from "../../../../src/daemon/doctor/firewall/nft.ts";
import type { RuleTable } from "../../../../src/daemon/doctor/firewall/packet.ts";
import { SojournError } from "../../../../src/platform/errors.ts";

const question: FirewallQuestion = {
  config: {
    host: { name: "host-a", underlayAddress: "172.16.1.2" },
    peers: new Map([["host-b", { address: "172.16.2.2", port: 7707 }]]),
    peerApi: {
      listen: { address: "172.16.1.2", port: 7707 },
      ...{ caPath: "/ca", certificatePath: "/cert", keyPath: "/key" },
    },
    guestNetworks: [{ subnet: "10.1.0.0/24", gateway: "10.1.0.1", bridge: "guests0" }],
    migration: { tunnel: "auto", ports: null } as FirewallQuestion["config"]["migration"],
  },
  underlay: "eth0",
  ipipDatapath: "kernel",
  streamPorts: [32_768, 60_999],
};

function resultsOf(tables: RuleTable[], change: Partial<FirewallQuestion> = {}) {
  const checks = checkFirewall(tables, { ...question, ...change });
  return Object.fromEntries(checks.map((check) => [check.id, check]));
}

const input = { family: "inet", table: "filter", name: "input", handle: 1 };

/** As `nft -j list ruleset` prints a table with one chain. */
function ruleset(chain: object, ...rules: object[][]): string {
  const entries = rules.map((expr, index) => ({
    rule: { family: "inet", table: "filter", chain: input.name, handle: index + 10, expr },
  }));
  return JSON.stringify({
    nftables: [
      { metainfo: { version: "1.0.6", json_schema_version: 1 } },
      { table: { family: "inet", name: "filter", handle: 1 } },
      { chain: { ...input, ...chain } },
      ...entries,
    ],
  });
}

const inputHook = { type: "filter", hook: "input", prio: 0, policy: "accept" };
const match = (left: object, right: unknown, op = "==") => ({ match: { op, left, right } });
const payload = (protocol: string, field: string) => ({ payload: { protocol, field } });
const drop = { drop: null };
const accept = { accept: null };

describe("nftables", () => {
  it("says nothing against an empty ruleset", () => {
    const results = resultsOf(parseRuleset('{"nftables": [{"metainfo": {}}]}'));
    expect(Object.values(results).map(({ result }) => result)).toEqual(Array(5).fill("ok"));
  });

  it("names the rule that drops protocol 4, and the line that lets it pass", () => {
    const rule = [match(payload("ip", "protocol"), 4), { counter: { packets: 0, bytes: 0 } }, drop];
    const results = resultsOf(parseRuleset(ruleset(inputHook, rule)));
    expect(results["firewall-protocol-4"]).toMatchObject({
      ...{ result: "fail", subject: "host-b" },
      detail: "stopped by rule 10 of inet filter input",
      mend: "nft insert rule inet filter input ip saddr 172.16.2.2 ip protocol 4 accept",
    });
    expect(results["firewall-peer-api"]?.result).toBe("ok");
    const named = ruleset(inputHook, [match({ meta: { key: "l4proto" } }, "ipencap"), drop]);
    expect(resultsOf(parseRuleset(named))["firewall-protocol-4"]?.result).toBe("fail");
    const past = resultsOf(parseRuleset(named), { ipipDatapath: "bpf" })["firewall-protocol-4"];
    expect(past).toMatchObject({ result: "warn" });
    expect(past?.detail).toContain("the BPF data path used here goes past it");
  });

  it("finds what a policy drops, and sees what is let in before", () => {
    const policy = { ...inputHook, policy: "drop" };
    const lets = [
      [match({ ct: { key: "state" } }, ["established", "related"], "in"), accept],
      [match(payload("tcp", "dport"), { set: [22, 7707] }), accept],
      [match(payload("tcp", "dport"), { range: [32_000, 61_000] }), accept],
      [match(payload("ip6", "saddr"), "fe80::1"), accept],
    ];
    const results = resultsOf(parseRuleset(ruleset(policy, ...lets)));
    expect(results["firewall-peer-api"]?.result).toBe("ok");
    expect(results["firewall-stream"]?.result).toBe("ok");
    expect(results["firewall-protocol-4"]).toMatchObject({
      ...{ result: "fail", detail: "stopped by the policy of inet filter input" },
    });
    expect(results["firewall-udp-4789"]).toMatchObject({
      result: "warn",
      mend: "nft insert rule inet filter input ip saddr 172.16.2.2 udp dport 4789 accept",
    });
  });

  it("opens the whole range of ports for streams", () => {
    const closed = ruleset(inputHook, [
      match(payload("tcp", "dport"), { range: [40_000, 50_000] }),
      drop,
    ]);
    expect(resultsOf(parseRuleset(closed))["firewall-stream"]).toMatchObject({
      result: "fail",
      mend: "nft insert rule inet filter input ip saddr 172.16.2.2 tcp dport 32768-60999 accept",
    });
  });

  it("only warns of what it cannot tell", () => {
    const rule = [
      match(payload("ip", "protocol"), 4),
      { limit: { rate: 10, per: "second" } },
      drop,
    ];
    const result = resultsOf(parseRuleset(ruleset(inputHook, rule)))["firewall-protocol-4"];
    expect(result).toMatchObject({ result: "warn" });
    expect(result?.detail).toContain("may be stopped by");
  });

  it("follows jumps, verdict maps and named sets, and leaves our own table out", () => {
    const jump = ruleset(inputHook, [{ jump: { target: "deep" } }]);
    const listing = JSON.parse(jump);
    const of = (name: string) => ({ family: "inet", table: "filter", name, handle: 9 });
    const vmap = {
      vmap: {
        key: { meta: { key: "iifname" } },
        data: {
          set: [
            ["lo", accept],
            ["eth*", drop],
          ],
        },
      },
    };
    listing.nftables.push(
      {
        set: {
          ...of("bad"),
          type: "ipv4_addr",
          elem: [{ prefix: { addr: "172.16.0.0", len: 16 } }],
        },
      },
      { chain: of("deep") },
      {
        rule: {
          ...{ family: "inet", table: "filter", chain: "deep", handle: 77 },
          expr: [match(payload("ip", "saddr"), "@bad"), vmap],
        },
      },
    );
    expect(resultsOf(parseRuleset(JSON.stringify(listing)))["firewall-peer-api"]).toMatchObject({
      result: "fail",
      detail: "stopped by rule 77 of inet filter deep",
      mend: "nft insert rule inet filter input ip saddr 172.16.2.2 tcp dport 7707 accept",
    });
    const ours = jump.replaceAll('"filter","name"', '"sojourn","name"');
    expect(parseRuleset(ours.replace('"name":"filter"', '"name":"sojourn"'))).toEqual([]);
  });

  it("is told of a forward policy that drops guests' packets", () => {
    const forward = { type: "filter", hook: "forward", prio: 0, policy: "drop" };
    const check = resultsOf(parseRuleset(ruleset(forward)))["firewall-forward"];
    expect(check?.result).toBe("fail");
    expect(check?.mend?.split("\n")).toContain(
      `nft insert rule inet filter input iifname '"sj*"' accept`,
    );
  });

  it("never throws but typed errors, and always ends", () => {
    const texts = fc.oneof(
      fc.string(),
      fc.json(),
      fc.jsonValue().map((value) => JSON.stringify({ nftables: value })),
      fc
        .array(fc.jsonValue(), { maxLength: 4 })
        .map((expr) => ruleset(inputHook, expr as object[], [drop])),
      fc
        .tuple(fc.jsonValue(), fc.jsonValue(), fc.constantFrom("==", "!=", "in", "<"))
        .map(([left, right, op]) => ruleset(inputHook, [match(left as object, right, op), drop])),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          resultsOf(parseRuleset(text));
        } catch (error) {
          expect(error).toBeInstanceOf(SojournError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("gives up on chains with more ways than there is time", () => {
    const rules = Array.from({ length: 16 }, (_, depth) =>
      Array.from({ length: 16 }, () => ({
        rule: {
          ...{ family: "inet", table: "filter", chain: `c${depth}`, handle: depth },
          expr: [{ jump: { target: `c${depth + 1}` } }],
        },
      })),
    ).flat();
    const chains = Array.from({ length: 17 }, (_, depth) => ({
      chain: {
        family: "inet",
        table: "filter",
        name: `c${depth}`,
        ...(depth === 0 ? inputHook : {}),
      },
    }));
    const table = { table: { family: "inet", name: "filter" } };
    const tables = parseRuleset(JSON.stringify({ nftables: [table, ...chains, ...rules] }));
    expect(resultsOf(tables)["firewall-peer-api"]?.result).toBe("ok");
  });
});

describe("iptables", () => {
  const saved = `# Generated by iptables-save v1.8.9 on Sat Nov 21 17:00:00 2026
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -s 172.16.0.0/16 -p tcp -m tcp --dport 7707 -m comment --comment "peer -j DROP" -j ACCEPT
-A INPUT -p tcp -m multiport --dports 22,32768:60999 -j ACCEPT
-A INPUT ! -i eth0 -j ACCEPT
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j RETURN
COMMIT
`;

  it("is read as nftables are", () => {
    const results = resultsOf(parseIptables(saved));
    expect(results["firewall-peer-api"]?.result).toBe("ok");
    expect(results["firewall-stream"]?.result).toBe("ok");
    expect(results["firewall-protocol-4"]).toMatchObject({
      result: "fail",
      mend: "iptables -t filter -I INPUT -s 172.16.2.2 -p 4 -j ACCEPT",
    });
    expect(results["firewall-forward"]).toMatchObject({ result: "fail" });
    expect(results["firewall-forward"]?.mend?.split("\n")).toContain(
      "iptables -t filter -I FORWARD -i sj+ -j ACCEPT",
    );
  });

  it("takes any text", () => {
    const words = fc.constantFrom(
      "-A",
      "-p",
      "-s",
      "!",
      "-j",
      "--dport",
      "INPUT",
      "DROP",
      '"',
      "tcp",
    );
    const lines = fc.oneof(
      fc.string(),
      fc.array(words).map((all) => `-A INPUT ${all.join(" ")}`),
    );
    fc.assert(
      fc.property(fc.array(lines), (all) => {
        resultsOf(parseIptables(["*filter", ":INPUT ACCEPT [0:0]", ...all].join("\n")));
      }),
    );
  });
});
