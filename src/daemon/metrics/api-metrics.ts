import { requestBuckets } from "./buckets.ts";
import type { Instruments } from "./instruments.ts";

/** One request to the API that has been answered. */
export interface AnsweredRequest {
  method: string;
  /** The route's pattern; null where there is none. */
  route: string | null;
  status: number;
  tookMs: number;
  /** An answer that goes on, as events do, has no latency. */
  isStream: boolean;
}

/** What the TCP listener has to do with. */
export interface ListenerFigures {
  readonly connections: number;
  /** Since the start, by reason. */
  readonly refused: ReadonlyMap<string, number>;
}

/** Requests to the API. Labels are patterns of routes, never what callers send. */
export class ApiMetrics {
  readonly #requests;
  readonly #latency;
  #listener: ListenerFigures | null = null;

  constructor(instruments: Instruments) {
    this.#requests = instruments.counter(
      "sojourn_api_requests_total",
      "Requests to the API that were answered, by method, route and status.",
      ["method", "route", "status"],
    );
    this.#latency = instruments.histogram(
      "sojourn_api_request_duration_seconds",
      "Time from a request to the end of its answer, by method and route; without streams of events.",
      requestBuckets,
      ["method", "route"],
    );
    instruments.collectedGauge(
      "sojourn_api_connections",
      "Connections to the API's TCP listener that are open.",
      [],
      (gauge) => gauge.set(this.#listener?.connections ?? 0),
    );
    instruments.countedElsewhere(
      "sojourn_api_refused_total",
      "Connections and requests that the API's TCP listener refused, by HTTP status or other reason.",
      ["reason"],
      (add) => {
        for (const [reason, count] of this.#listener?.refused ?? []) add({ reason }, count);
      },
    );
  }

  know(listener: ListenerFigures): void {
    this.#listener = listener;
  }

  note({ method, route, status, tookMs, isStream }: AnsweredRequest): void {
    const labels = { method: knownMethod(method), route: route ?? "none" };
    this.#requests.inc({ ...labels, status: String(status) });
    if (!isStream) this.#latency.observe(labels, tookMs / 1000);
  }
}

function knownMethod(method: string): string {
  return ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].includes(method) ? method : "other";
}
