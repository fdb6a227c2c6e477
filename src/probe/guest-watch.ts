import { guestPages, readGuestClockMs, readGuestTcp } from "./guest-figures.ts";
import type { HttpAnswer } from "./http-answers.ts";

const intervalMs = 100;

interface GuestFigures {
  at_ms: number;
  ahead_ms: number;
  error_ms: number;
  retransmissions: number | null;
  rto: number | null;
}

/**
 * Asks a guest for its clock and its kernel's totals, ten times a second, among the requests of an HTTP session.
 * A server that has no such page is asked once.
 */
export class GuestWatch {
  #dueMs = Number.NEGATIVE_INFINITY;
  #next: string | null = guestPages.clock;
  #hasTotals = true;
  #totals: { retransmissions: number; rto: number } | null = null;

  /** The page to ask for instead of the usual one, or null. */
  nextPage(nowMs: number): string | null {
    return nowMs >= this.#dueMs ? this.#next : null;
  }

  /** What is known with this answer, when it tells the clock. */
  accept(path: string, answer: HttpAnswer, sentMs: number, nowMs: number): GuestFigures | null {
    if (path === guestPages.tcp) {
      this.#totals = answer.status === 200 ? readGuestTcp(answer.text) : null;
      this.#hasTotals = this.#totals !== null;
      this.#next = guestPages.clock;
      return null;
    }
    const clockMs = answer.status === 200 ? readGuestClockMs(answer.text) : null;
    this.#dueMs = nowMs + intervalMs;
    this.#next = clockMs === null ? null : this.#hasTotals ? guestPages.tcp : guestPages.clock;
    if (clockMs === null) return null;
    return {
      at_ms: nowMs,
      ahead_ms: clockMs - (sentMs + nowMs) / 2,
      error_ms: (nowMs - sentMs) / 2,
      retransmissions: this.#totals?.retransmissions ?? null,
      rto: this.#totals?.rto ?? null,
    };
  }
}
