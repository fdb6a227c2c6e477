import { expect, test } from "vitest";
import { emptyDesiredState, type Renumbering } from "../../../src/routing/desired.ts";
import { normalise } from "../../../src/routing/normalise.ts";
import { renderTables } from "../../../src/routing/ruleset.ts";
import { desiredState } from "../../support/routing-plane.ts";

const web1: Renumbering = {
  ...{ guest: "10.1.0.10", address: "10.2.0.50" },
  ...{ bridge: "sjb000000001", tap: "sjp000000001", tunnels: ["tun0"], retired: false },
};
const web2: Renumbering = {
  ...{ guest: "10.1.0.11", address: "10.2.0.51" },
  ...{ bridge: "sjb000000002", tap: "sjp000000002", tunnels: [], retired: true },
};

const textsOf = (renumbered: Renumbering[]) => {
  const filter = { ...emptyDesiredState.filter, renumbered };
  const { ip, bridge } = renderTables(filter, () => "52:54:00:99:00:01", new Set());
  return { ip, bridge };
};

test("every rule names one guest's address, bridge or tap: nobody else's packets are touched", () => {
  const { ip, bridge } = textsOf([web1, web2]);
  const rules = `${ip?.text}${bridge?.text}`
    .split("\n")
    .filter((line) => /^\t{2}/.test(line) && !line.includes(" hook "));
  expect(rules.length).toBeGreaterThan(20);
  for (const line of rules) {
    expect(line).toMatch(/10\.1\.0\.1[01]\b|10\.2\.0\.5[01]\b|iifname "sjp00000000[12]"/);
  }
});

test("only one bit of a connection's mark is ever looked at or written, and the packet's others stay", () => {
  const { ip, bridge } = textsOf([web1, web2]);
  const text = `${ip?.text}${bridge?.text}`;
  for (const [written] of text.matchAll(/(ct|meta) mark set .*/g)) {
    expect(written).toMatch(
      /^(?:ct mark set ct mark \| 0x00800000|meta mark set meta mark \| 0x0(?:08|10)00000)$/,
    );
  }
  for (const [looked] of text.matchAll(/ct mark [^s|].*?0x\w+/g)) {
    expect(looked).toBe("ct mark & 0x00800000");
  }
});

test("the order in which guests are named does not matter, and what they are does", () => {
  const digests = (renumbered: Renumbering[]) => {
    const { ip, bridge } = textsOf(renumbered);
    return [ip?.digest, bridge?.digest];
  };
  expect(digests([web2, web1])).toEqual(digests([web1, web2]));
  expect(digests([{ ...web1, retired: true }, web2])).not.toEqual(digests([web1, web2]));
  expect(textsOf([])).toEqual({ ip: null, bridge: null });
});

test("tracking alone is a chain that no packet passes", () => {
  const filter = { ...emptyDesiredState.filter, tracking: true };
  const { ip, bridge } = renderTables(filter, () => "", new Set());
  expect(ip?.text).toContain("chain tracking {\n\t\tct state established\n\t}");
  expect(ip?.text).not.toContain("hook");
  expect(bridge).toBeNull();
});

test.each([
  ["a mark outside its mask", { mark: { value: 3, mask: 1 } }],
  ["a mask of nothing", { mark: { value: 0, mask: 0 } }],
])("a rule with %s is refused", (_what, parts) => {
  const rule = { priority: 18316, table: 254, iif: null, from: null, to: null, ...parts };
  expect(() => normalise(desiredState({ rules: [rule] }))).toThrowError(
    expect.objectContaining({ code: "SOJ_ROUTING_BAD_STATE" }),
  );
});

test.each([
  { guest: "10.1.0" },
  { address: "10.2.0.50; flush ruleset" },
  { bridge: 'x" accept' },
  { tap: "" },
  { tunnels: ["a b"] },
])("what cannot be meant is refused: %o", (parts) => {
  const filter = { ...emptyDesiredState.filter, renumbered: [{ ...web1, ...parts }] };
  expect(() => normalise(desiredState({ filter }))).toThrowError(
    expect.objectContaining({ code: "SOJ_ROUTING_BAD_STATE" }),
  );
});
