import {
  type Attributes,
  type Context,
  type HrTime,
  type Link,
  type Span,
  type SpanContext,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { GateEvent, PhaseEvent } from "../../migrator/events.ts";
import { isPhase } from "../../migrator/phases.ts";
import { noteOf } from "../../migrator/stored-migration.ts";
import type { EndEvent, MigrationStatus } from "../services.ts";

export type TracedEvent = PhaseEvent | GateEvent;

/** A migration that has ended: all that its spans are made of. */
export interface EndedMigration {
  migration: MigrationStatus;
  /** In the order in which they were told. */
  events: readonly TracedEvent[];
  end: EndEvent;
}

/**
 * Makes one span of a migration, with a child for each phase and one for the blackout; instants in between are events of
 * the migration's span. Times are those of the timeline, on the source's clock. Returns the migration's span.
 */
export function makeSpans(
  tracer: Tracer,
  { migration, events, end }: EndedMigration,
  parent: Context,
  earlier: SpanContext | undefined,
): SpanContext {
  const told = events.toSorted((one, other) => one.at_ms - other.at_ms);
  const entries = told.filter((event) => event.type === "phase");
  const [first] = events;
  const originMs = first === undefined ? migration.started_ms : first.wall_clock_ms - first.at_ms;
  const lastMs = told.at(-1)?.at_ms ?? 0;
  const totalMs = end.type === "report" ? Math.max(lastMs, end.total_ms) : lastMs;
  const time = (atMs: number) => timeOf(originMs + atMs);
  const links: Link[] = earlier === undefined ? [] : [{ context: earlier }];
  const startTime = time(0);
  const options = { startTime, links, attributes: attributesOf(migration, end) };
  const span = tracer.startSpan("sojourn.migration", options, parent);
  const within = trace.setSpan(parent, span);
  const child = (name: string, fromMs: number, toMs: number, attributes: Attributes) =>
    tracer.startSpan(name, { startTime: time(fromMs), attributes }, within).end(time(toMs));
  const inPhases = entries.filter(({ phase }) => isPhase(phase));
  for (const [index, { phase, host, at_ms: atMs }] of inPhases.entries()) {
    const next = inPhases[index + 1];
    if (next === undefined) break;
    child(`sojourn.migration.${phase}`, atMs, next.at_ms, { "sojourn.host": host });
  }
  for (const event of told) addInstant(span, event, time(event.at_ms));
  const blackout = blackoutOf(entries);
  if (blackout !== null) child("sojourn.blackout", blackout.fromMs, blackout.toMs, {});
  markEnd(span, migration, end);
  span.end(time(totalMs));
  return span.spanContext();
}

/** What is no phase: an instant of the switchover, or what a gate has said. */
function addInstant(span: Span, event: TracedEvent, at: HrTime): void {
  if (event.type === "phase") {
    const { phase, host } = event;
    if (!isPhase(phase)) span.addEvent(phase, { "sojourn.host": host }, at);
    return;
  }
  const { gate, point, decision, answered, reason } = event;
  const attributes = {
    "sojourn.gate": gate,
    "sojourn.gate.point": point,
    "sojourn.gate.decision": decision,
    "sojourn.gate.answered": answered,
    ...(reason === null ? {} : { "sojourn.gate.reason": reason }),
  };
  span.addEvent("gate", attributes, at);
}

/** From the last stop to the resume at the destination; null when there was none. */
function blackoutOf(entries: readonly PhaseEvent[]): { fromMs: number; toMs: number } | null {
  const resume = entries.find(({ phase }) => phase === "resume");
  const stop = entries.findLast(({ phase }) => phase === "stop");
  if (stop === undefined || resume === undefined || resume.at_ms < stop.at_ms) return null;
  return { fromMs: stop.at_ms, toMs: resume.at_ms };
}

function attributesOf({ id, guest, from, to }: MigrationStatus, end: EndEvent): Attributes {
  const common = {
    "sojourn.migration.id": id,
    "sojourn.guest": guest,
    "sojourn.from": from,
    "sojourn.to": to,
  };
  if (end.type === "error") return { ...common, "error.type": end.code };
  const { blackout_ms, transferred_bytes, tunnel, budget_ms } = end;
  return {
    ...common,
    ...(blackout_ms === null ? {} : { "sojourn.blackout_ms": blackout_ms }),
    ...(transferred_bytes === null ? {} : { "sojourn.transferred_bytes": transferred_bytes }),
    ...(tunnel === null ? {} : { "sojourn.tunnel.kind": tunnel.kind }),
    ...(budget_ms === null ? {} : { "sojourn.budget_ms": budget_ms }),
  };
}

function markEnd(span: Span, { state }: MigrationStatus, end: EndEvent): void {
  const outcome = noteOf(end).state ?? state;
  span.setAttribute("sojourn.outcome", outcome);
  // Who cancels it knows why: that is no fault.
  if (outcome === "completed" || outcome === "cancelled") return;
  const message = end.type === "error" ? end.message : outcome;
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

/** Seconds and nanoseconds: a number alone would be taken for something else before this process's start. */
function timeOf(wallMs: number): HrTime {
  const seconds = Math.floor(wallMs / 1000);
  return [seconds, Math.round((wallMs - seconds * 1000) * 1e6)];
}
