import { delay, monotonicMs } from "../../platform/clock.ts";
import { isEnd } from "../event-history.ts";
import type { HookFeedEvent } from "./feed-source.ts";

/** Between two looks while something waits. */
const lookIntervalMs = 20;

/** An armed migration whose next phases do not come holds hooks up no longer than this. */
const longestArmedMs = 10_000;

/**
 * When work for hooks may be done: not while a guest stands or is about to, since the disk and the processors are
 * needed for it.
 */
export class QuietTimes {
  readonly #isGuestStanding: () => boolean;
  /** When each armed migration was. */
  readonly #armed = new Map<string, number>();

  /** @param isGuestStanding whether a guest stands to leave this host, or is expected here. */
  constructor(isGuestStanding: () => boolean) {
    this.#isGuestStanding = isGuestStanding;
  }

  /** From `armed` to `resumed`, or to the end, there is none for this migration. */
  note({ migration, event }: HookFeedEvent): void {
    const isArmed = migration.state === "armed" || migration.state === "switchover";
    const isOver = event === null || isEnd(event);
    // Gates may keep an armed migration waiting for long: it goes on when they have answered.
    const isGateOpen = event?.type === "gate" && event.decision === "allow";
    if (!isArmed || isOver) this.#armed.delete(migration.id);
    else if (isGateOpen || !this.#armed.has(migration.id)) {
      this.#armed.set(migration.id, monotonicMs());
    }
  }

  isQuiet(): boolean {
    if (this.#isGuestStanding()) return false;
    const sinceMs = monotonicMs() - longestArmedMs;
    return [...this.#armed.values()].every((armedMs) => armedMs <= sinceMs);
  }

  /** Resolves at once, or when it is quiet again. @throws the signal's reason. */
  async begin(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (!this.isQuiet()) await delay(lookIntervalMs, signal);
  }
}
