import type { StartConduct } from "../../daemon/services.ts";

/**
 * The trace that this command is a part of, as its caller's environment names it: TRACEPARENT and TRACESTATE (W3C Trace
 * Context in OpenTelemetry's convention for environment variables). Nothing where it names none.
 */
export function traceOf(env: NodeJS.ProcessEnv): Pick<StartConduct, "traceParent"> {
  const { TRACEPARENT: traceparent = "", TRACESTATE: tracestate = "" } = env;
  if (!/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent)) return {};
  const isState = /^[ -~]{1,512}$/.test(tracestate);
  return { traceParent: { traceparent, ...(isState ? { tracestate } : {}) } };
}
