import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { longestAnswerBytes, parseAnswer, shown } from "../../../../src/daemon/gates/answer.ts";
import { NoAnswer } from "../../../../src/daemon/gates/no-answer.ts";

describe("a gate's answer", () => {
  test.each([
    ['{"decision":"allow"}', { decision: "allow" }],
    [' {"decision":"allow","reason":null,"ticket":4711}\n', { decision: "allow", reason: null }],
    [
      '{"decision":"deny","reason":" no\\u001b[2J\\nmoves "}',
      { decision: "deny", reason: "no [2J moves" },
    ],
    ['{"decision":"delay","delay_ms":1500}', { decision: "delay", delay_ms: 1500 }],
  ])("%s", (text, expected) => {
    expect(parseAnswer(text)).toEqual(expected);
  });

  test.each([
    ["", /empty/],
    ["yes", /not JSON/],
    ["<html>", /not JSON/],
    ["[]", /the whole/],
    ["{}", /decision/],
    ['{"decision":"Allow"}', /decision/],
    ['{"decision":true}', /decision/],
    ['{"decision":"delay"}', /delay_ms/],
    ['{"decision":"delay","delay_ms":-1}', /delay_ms/],
    ['{"decision":"delay","delay_ms":1e12}', /delay_ms/],
    ['{"decision":"delay","delay_ms":"1"}', /delay_ms/],
    ['{"decision":"deny","reason":7}', /reason/],
    [`{"decision":"allow","pad":"${"x".repeat(longestAnswerBytes)}"}`, /longer than 4096/],
  ])("none: %.60s", (text, reason) => {
    expect(() => parseAnswer(text)).toThrow(NoAnswer);
    expect(() => parseAnswer(text)).toThrow(reason);
  });

  test("whatever comes, it is one of the three answers or none", () => {
    const likely = fc.record(
      {
        decision: fc.constantFrom("allow", "deny", "delay", "", 1, null),
        delay_ms: fc.oneof(fc.double(), fc.integer(), fc.string(), fc.constant(null)),
        reason: fc.oneof(fc.string({ unit: "binary" }), fc.constant(null), fc.integer()),
      },
      { requiredKeys: [] },
    );
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 6000 }),
      fc.json(),
      likely.map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(text, (given) => {
        let answer: ReturnType<typeof parseAnswer>;
        try {
          answer = parseAnswer(given);
        } catch (error) {
          expect(error).toBeInstanceOf(NoAnswer);
          return;
        }
        expect(["allow", "deny", "delay"]).toContain(answer.decision);
        if (answer.decision === "delay") {
          expect(answer.delay_ms).toBeGreaterThanOrEqual(0);
          expect(answer.delay_ms).toBeLessThanOrEqual(3_600_000);
        }
        expect(answer.reason ?? "").toBe(shown(answer.reason ?? ""));
      }),
      { numRuns: 2_000 },
    );
  });

  test("somebody else's words are one bounded line without control characters", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 2_000 }), (text) => {
        expect(shown(text)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        expect(shown(text).length).toBeLessThanOrEqual(500);
      }),
    );
  });
});
