import type { BreakReason } from "./series.ts";
import type { TcpInfo } from "./tcp-info.ts";

/** What a measuring session is started with, in the prober's own process. */
export interface SessionOptions {
  host: string;
  port: number;
  /** Pace of requests. */
  intervalMs: number;
  /** Upper bound of a download or upload; null for none. */
  maxMbps: number | null;
  /** How long the first answer may take. */
  connectTimeoutMs: number;
}

/** `unavailable`: this machine lacks, or does not allow, what the measurement needs. */
export type NoSessionReason = "unreachable" | "silent" | "wrong-service" | "unavailable";

/** What a session tells the process that runs it. */
export interface SessionEvents {
  ready(atMs: number): void;
  noSession(reason: NoSessionReason, message: string): void;
  broken(reason: BreakReason, message: string): void;
  /** The kernel's totals, the first time and when they have changed. */
  kernel(info: TcpInfo): void;
}

/** A measurement that runs until it is stopped. */
export interface Session {
  /** Sends the samples since the last call; the last time also of a bucket that is not over. */
  flush(nowMs: number, isLast: boolean): void;
  /** Ends the measurement; resolves when no more can be learned. */
  stop(): Promise<void> | void;
  /** Whole answers and bytes received so far. */
  totals(): { answers: number; bytes: number };
}
