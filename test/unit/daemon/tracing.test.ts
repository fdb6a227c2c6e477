import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Tracing } from "../../../src/daemon/tracing/tracing.ts";
import {
  completedMigration,
  inDoubtMigration,
  rolledBackMigration,
  type Told,
} from "../metrics/events.ts";

const exporter = new InMemorySpanExporter();
const parent = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
};

beforeEach(() => {
  exporter.reset();
  const spanProcessors = [new SimpleSpanProcessor(exporter)];
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
});

afterEach(() => trace.disable());

test("a migration is one span, with one for each phase and one for the blackout", () => {
  tell(new Tracing("host-a"), completedMigration("m1"));
  const root = spanNamed("sojourn.migration");
  expect(root.parentSpanContext).toBeUndefined();
  expect(root.kind).toBe(SpanKind.INTERNAL);
  expect(root.status.code).toBe(SpanStatusCode.UNSET);
  expect(root.attributes).toEqual({
    "sojourn.migration.id": "m1",
    "sojourn.guest": "web1",
    "sojourn.from": "host-a",
    "sojourn.to": "host-b",
    "sojourn.outcome": "completed",
    "sojourn.blackout_ms": 25,
    "sojourn.transferred_bytes": 73_000_000,
    "sojourn.tunnel.kind": "ipip",
  });
  const children = spans().filter((span) => span !== root);
  for (const child of children) {
    expect(child.parentSpanContext?.spanId).toBe(root.spanContext().spanId);
  }
  const phases = [
    "preparing",
    "prepared",
    "precopy",
    "armed",
    "switchover",
    "resumed",
    "verifying",
  ];
  expect(children.map(({ name }) => name)).toEqual([
    ...phases.map((phase) => `sojourn.migration.${phase}`),
    "sojourn.blackout",
  ]);
  expect(root.events.map(({ name }) => name)).toEqual([
    ...["stop", "pre-switchover", "promise", "route-change", "continue", "takeover", "resume"],
  ]);
});

test("times are the timeline's", () => {
  tell(new Tracing("host-a"), completedMigration("m1"));
  const startMs = 1_700_000_000_000;
  expect(timesOf(spanNamed("sojourn.migration"))).toEqual([startMs, startMs + 800]);
  expect(timesOf(spanNamed("sojourn.migration.precopy"))).toEqual([startMs + 102, startMs + 602]);
  expect(timesOf(spanNamed("sojourn.blackout"))).toEqual([startMs + 650, startMs + 675]);
});

test("the trace of the request that began it goes on", () => {
  const tracing = new Tracing("host-a");
  const traceparent = `00-${parent.traceId}-${parent.spanId}-01`;
  tracing.continueTrace("m1", { traceparent });
  // A repetition of the request is a part of another trace, but begins nothing.
  tracing.continueTrace("m1", { traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01` });
  tell(tracing, completedMigration("m1"));
  const root = spanNamed("sojourn.migration");
  expect(root.spanContext().traceId).toBe(parent.traceId);
  expect(root.parentSpanContext).toMatchObject({ spanId: parent.spanId, isRemote: true });
});

test("a traceparent that is none begins a trace of its own", () => {
  const tracing = new Tracing("host-a");
  tracing.continueTrace("m1", { traceparent: "00-garbage" });
  tell(tracing, completedMigration("m1"));
  expect(spanNamed("sojourn.migration").parentSpanContext).toBeUndefined();
});

test("one that is taken back is an error with its code, and has both precopies", () => {
  tell(new Tracing("host-a"), rolledBackMigration("m1"));
  const root = spanNamed("sojourn.migration");
  expect(root.status).toEqual({ code: SpanStatusCode.ERROR, message: "it did not work" });
  expect(root.attributes).toMatchObject({
    "sojourn.outcome": "rolled-back",
    "error.type": "SOJ_FROZEN_DEADLINE",
  });
  expect(spans().filter(({ name }) => name === "sojourn.migration.precopy")).toHaveLength(2);
  expect(spans().filter(({ name }) => name === "sojourn.blackout")).toHaveLength(0);
});

test("what ends a migration in doubt is linked to it, in the same trace", () => {
  const tracing = new Tracing("host-a");
  tracing.continueTrace("m1", { traceparent: `00-${parent.traceId}-${parent.spanId}-01` });
  tell(tracing, inDoubtMigration("m1"));
  tell(tracing, completedMigration("m1").slice(-3));
  const [first, second] = spans().filter(({ name }) => name === "sojourn.migration");
  expect(first?.attributes["sojourn.outcome"]).toBe("in-doubt");
  expect(second?.spanContext().traceId).toBe(parent.traceId);
  expect(second?.links.map(({ context }) => context.spanId)).toEqual([first?.spanContext().spanId]);
});

test("what gates say is told with when they said it", () => {
  const events = completedMigration("m1");
  const [first] = events;
  if (first === undefined) throw new Error("no events");
  const event = {
    ...{ type: "gate" as const, id: "m1", gate: "board", point: "planned" as const },
    ...{ decision: "allow" as const, answered: true, reason: "CHG-7", waited_ms: 40 },
    ...{ at_ms: 0.5, wall_clock_ms: 1_700_000_000_000.5 },
  };
  tell(new Tracing("host-a"), [{ migration: first.migration, event }, ...events]);
  const [told] = spanNamed("sojourn.migration").events;
  expect(told?.name).toBe("gate");
  expect(told?.attributes).toEqual({
    "sojourn.gate": "board",
    "sojourn.gate.point": "planned",
    "sojourn.gate.decision": "allow",
    "sojourn.gate.answered": true,
    "sojourn.gate.reason": "CHG-7",
  });
});

test("a migration that another host carries out has its spans there", () => {
  const mirrored = completedMigration("m1").map(({ migration, event }) => ({
    migration: { ...migration, from: "host-c" },
    event,
  }));
  tell(new Tracing("host-a"), mirrored);
  expect(spans()).toEqual([]);
});

test("without an SDK nothing happens", () => {
  trace.disable();
  tell(new Tracing("host-a"), completedMigration("m1"));
  expect(spans()).toEqual([]);
});

function tell(tracing: Tracing, events: readonly Told[]): void {
  for (const { migration, event } of events) tracing.note(migration, event);
}

function spans(): ReadableSpan[] {
  return exporter.getFinishedSpans();
}

function spanNamed(name: string): ReadableSpan {
  const [span, ...others] = spans().filter((one) => one.name === name);
  if (span === undefined || others.length > 0) throw new Error(`${others.length} more ${name}`);
  return span;
}

function timesOf({ startTime, endTime }: ReadableSpan): number[] {
  return [startTime, endTime].map(([seconds, nanos]) => seconds * 1000 + nanos / 1e6);
}
