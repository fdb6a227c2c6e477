import type { BreakReason } from "./series.ts";

/** What a measuring session is started with, in the prober's own process. */
export interface SessionOptions {
  host: string;
  port: number;
  /** Pace of the requests of an echo session. */
  intervalMs: number;
  /** Upper bound of a download; null for none. */
  maxMbps: number | null;
  /** How long the first answer may take. */
  connectTimeoutMs: number;
}

export type NoSessionReason = "unreachable" | "silent" | "wrong-service";

/** What a session tells the process that runs it. */
export interface SessionEvents {
  ready(atMs: number): void;
  noSession(reason: NoSessionReason, message: string): void;
  broken(reason: BreakReason, message: string): void;
}

/** A measurement that runs until it is stopped. */
export interface Session {
  /** Sends the samples since the last call; the last time also of a bucket that is not over. */
  flush(nowMs: number, isLast: boolean): void;
  stop(): void;
  /** Whole answers and bytes received so far. */
  totals(): { answers: number; bytes: number };
}
