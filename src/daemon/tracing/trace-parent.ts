import type { IncomingHttpHeaders } from "node:http";
import {
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
} from "@opentelemetry/api";

/** A caller's trace, as its request names it: the headers `traceparent` and `tracestate` (W3C Trace Context, level 2). */
export interface TraceParent {
  traceparent: string;
  tracestate?: string | undefined;
}

const mostStateCharacters = 512;

/**
 * The span that a `traceparent` names; null for one that is not of the standard's form, which a receiver ignores. Of a
 * later version than 00 the known fields are read.
 */
export function spanContextOf({ traceparent, tracestate }: TraceParent): SpanContext | null {
  const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
  const [, version, traceId = "", spanId = "", flags = "", rest] = form.exec(traceparent) ?? [];
  if (version === undefined || version === "ff") return null;
  if (version === "00" && rest !== undefined) return null;
  if (/^0*$/.test(traceId) || /^0*$/.test(spanId)) return null;
  const traceFlags = Number.parseInt(flags, 16) & 1;
  const isUsable = tracestate !== undefined && tracestate.length <= mostStateCharacters;
  const state = isUsable ? { traceState: createTraceState(tracestate) } : {};
  return { traceId, spanId, traceFlags, isRemote: true, ...state };
}

/** The caller's trace in a request's headers; nothing where they name none, or not in the standard's form. */
export function traceParentOf(headers: IncomingHttpHeaders): { traceParent?: TraceParent } {
  const { traceparent, tracestate } = headers;
  if (typeof traceparent !== "string") return {};
  const state = tracestate === undefined ? {} : { tracestate: String(tracestate) };
  const traceParent = { traceparent, ...state };
  return spanContextOf(traceParent) === null ? {} : { traceParent };
}

/** The context in which the caller's span is the parent; one without a parent where it named none. */
export function contextOf(parent: TraceParent | undefined): Context {
  const spanContext = parent === undefined ? null : spanContextOf(parent);
  return spanContext === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, spanContext);
}
