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

/** Requests to the API. Labels are patterns of routes, never what callers send. */
export class ApiMetrics {
  readonly #requests;
  readonly #latency;

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
