import { delay, monotonicMs } from "../../platform/clock.ts";
import type { HookFeedEvent } from "./feed-source.ts";

/** Between two looks while something waits. */
const lookIntervalMs = 20;

/** A migration whose next phases do not come, or an arrival that takes long, holds hooks up no longer than this. */
const longestHoldMs = 10_000;

/** A guest that has just arrived needs the processors for itself. */
const guestFirstMs = 300;

export interface HostActivity {
  /** A guest of this host stands for its switchover. */
  isGuestStanding(): boolean;
  /** A guest may be stopped elsewhere for its arrival here. */
  isGuestArriving(): boolean;
}

/**
 * When work for hooks may be done: not while a guest stands or is about to, since the disk and the processors are
 * needed for it.
 */
export class QuietTimes {
  readonly #activity: HostActivity;
  /** When each armed migration was. */
  readonly #armed = new Map<string, number>();
  #arrivingSinceMs: number | null = null;
  #arrivedMs = Number.NEGATIVE_INFINITY;

  constructor(activity: HostActivity) {
    this.#activity = activity;
  }

  /** From `armed` to `resumed`, or to the end, there is none for this migration. */
  note({ migration, event }: HookFeedEvent): void {
    const isArmed = migration.state === "armed" || migration.state === "switchover";
    const isEnd = event === null || event.type === "report" || event.type === "error";
    if (!isArmed || isEnd) this.#armed.delete(migration.id);
    else if (!this.#armed.has(migration.id)) this.#armed.set(migration.id, monotonicMs());
  }

  isQuiet(): boolean {
    if (this.#activity.isGuestStanding()) return false;
    const nowMs = monotonicMs();
    for (const sinceMs of this.#armed.values()) if (nowMs - sinceMs < longestHoldMs) return false;
    if (this.#activity.isGuestArriving()) {
      this.#arrivingSinceMs ??= nowMs;
      return nowMs - this.#arrivingSinceMs >= longestHoldMs;
    }
    if (this.#arrivingSinceMs !== null) this.#arrivedMs = nowMs;
    this.#arrivingSinceMs = null;
    return nowMs - this.#arrivedMs >= guestFirstMs;
  }

  /** Resolves at once, or when it is quiet again. @throws the signal's reason. */
  async begin(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (!this.isQuiet()) await delay(lookIntervalMs, signal);
  }
}
