import { TraceFlags } from "@opentelemetry/api";
import fc from "fast-check";
import { expect, test } from "vitest";
import { spanContextOf } from "../../../src/daemon/tracing/trace-parent.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";

test("the standard's example", () => {
  const traceparent = `00-${traceId}-${spanId}-01`;
  const found = spanContextOf({ traceparent, tracestate: "congo=t61rcWkgMzE" });
  expect(found).toMatchObject({ traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
  expect(found?.traceState?.serialize()).toBe("congo=t61rcWkgMzE");
});

test.each([
  ["all zeros as the trace", `00-${"0".repeat(32)}-${spanId}-01`],
  ["all zeros as the span", `00-${traceId}-${"0".repeat(16)}-01`],
  ["the version that is none", `ff-${traceId}-${spanId}-01`],
  ["upper case", `00-${traceId.toUpperCase()}-${spanId}-01`],
  ["more than version 00 has", `00-${traceId}-${spanId}-01-more`],
  ["nothing", ""],
])("%s is not taken", (_what, traceparent) => {
  expect(spanContextOf({ traceparent })).toBeNull();
});

test("of a later version the known part is read", () => {
  const traceparent = `cc-${traceId}-${spanId}-03-what-the-future-brings`;
  expect(spanContextOf({ traceparent })).toMatchObject({ traceId, spanId, traceFlags: 1 });
});

test("whatever arrives is either a whole span context or none", () => {
  const hex = (length: number) =>
    fc.array(fc.constantFrom(..."0123456789abcdef"), { minLength: length, maxLength: length });
  const likely = fc
    .tuple(hex(2), hex(32), hex(16), hex(2), fc.constantFrom("", "-x", "\n", "-"))
    .map(([version, trace, span, flags, rest]) =>
      [version, trace, span, flags]
        .map((part) => part.join(""))
        .join("-")
        .concat(rest),
    );
  const anything = fc.oneof(fc.string(), likely);
  fc.assert(
    fc.property(anything, fc.option(fc.string(), { nil: undefined }), (traceparent, tracestate) => {
      const state = tracestate === undefined ? {} : { tracestate };
      const found = spanContextOf({ traceparent, ...state });
      if (found === null) return;
      expect(found.traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
      expect(found.spanId).toMatch(/^(?!0{16})[0-9a-f]{16}$/);
      expect([0, 1]).toContain(found.traceFlags);
      expect(traceparent).toContain(found.traceId);
    }),
  );
});
