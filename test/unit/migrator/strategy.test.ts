import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseStrategy } from "../../../src/cli/arguments.ts";
import { redirectCommand } from "../../../src/migrator/redirect-command.ts";
import { conductOf, followsLate, strategyNames } from "../../../src/migrator/strategy.ts";
import { strategySchema } from "../../../src/migrator/strategy-schema.ts";
import { aToB, tunnelOf } from "./support.ts";

describe("strategies", () => {
  test("only lossless copies packets, and those that change the route late are told to the destination", () => {
    const copying = strategyNames.filter((name) => conductOf({ name }).copies);
    expect(copying).toEqual(["lossless"]);
    const late = strategyNames.filter((name) => followsLate({ name }));
    expect(late).toEqual(["post-resume", "after-return", "script-2009"]);
    const unproven = strategyNames.filter((name) => conductOf({ name }).lateTunnel);
    expect(unproven).toEqual(["script-2009"]);
  });

  test("script-2009 needs its delay, the others take none", () => {
    expect(parseStrategy("flip")).toEqual({ name: "flip" });
    expect(parseStrategy("script-2009:1500")).toEqual({ name: "script-2009", delay_ms: 1500 });
    expect(parseStrategy("script-2009:0.5")).toEqual({ name: "script-2009", delay_ms: 0.5 });
    for (const bad of ["", "script-2009", "script-2009:", "script-2009:-1", "flip:10", "Flip"]) {
      expect(() => parseStrategy(bad), bad).toThrow(/script-2009:1500/);
    }
    expect(() => parseStrategy("script-2009:600001")).toThrow();
  });

  test("the flag and the body agree about any text", () => {
    const text = fc.oneof(
      fc.string(),
      fc.tuple(fc.constantFrom(...strategyNames), fc.nat()).map(([name, ms]) => `${name}:${ms}`),
    );
    fc.assert(
      fc.property(text, (wanted) => {
        let parsed: unknown;
        try {
          parsed = parseStrategy(wanted);
        } catch {
          return;
        }
        expect(strategySchema.parse(parsed)).toEqual(parsed);
      }),
    );
    for (const bad of [{ name: "flip", delay_ms: 1 }, { name: "script-2009" }, { name: "x" }, 1]) {
      expect(strategySchema.safeParse(bad).success).toBe(false);
    }
  });

  test("the hook's command makes the route that the plane expects", () => {
    expect(redirectCommand("10.1.0.10", tunnelOf(aToB)).join(" ")).toBe(
      "ip route replace 10.1.0.10/32 dev tun-2 proto 183",
    );
    expect(redirectCommand("10.1.0.10", tunnelOf({ ...aToB, kind: "vxlan" })).join(" ")).toBe(
      "ip route replace 10.1.0.10/32 via 172.16.2.2 onlink dev tun-2 proto 183",
    );
  });
});
