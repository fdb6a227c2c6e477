import { delay, wallClockMs } from "../../platform/clock.ts";
import type { Logger } from "../../platform/log.ts";
import { isEnd } from "../event-history.ts";
import { isOutcome, ranks } from "./events.ts";
import type { HookFeedEvent } from "./feed-source.ts";
import { type GuestFacts, guestMessage, type HookMessage, migrationMessage } from "./payload.ts";
import type { QuietTimes } from "./quiet-times.ts";
import type { Spool, SpoolMarks } from "./spool.ts";
import { entriesFor, type Subscription } from "./subscriptions.ts";

/** So much is collected before it is written: one write for events that come together. */
const collectingMs = 20;

/** Between attempts to use a disk that is full or cannot be written. */
const diskPauseMs = 2_000;

/** Events that wait for a quiet moment, or for a disk that can be written. */
const mostEvents = 10_000;

export interface InboxOptions {
  hostName: string;
  spool: Spool;
  quiet: QuietTimes;
  logger: Logger;
  /** Who is to be told now. */
  subscriptions: () => Promise<Subscription[]>;
  /** What is known of a guest that is, or was just, on this host. */
  guestFacts: (guest: string) => GuestFacts | null;
  /** The guests that run on this host. */
  guestsHere: () => Map<string, GuestFacts>;
  /** Messages were spooled for these subscriptions. */
  onSpooled: (subscriptions: ReadonlySet<string>) => void;
}

interface Collected {
  event: HookFeedEvent;
  guest: GuestFacts | null;
}

interface Batch {
  events: readonly Collected[];
  areGuestsToBeLookedAt: boolean;
}

/** Takes events in at once, and puts messages of them into the spool when it is quiet. */
export class Inbox implements AsyncDisposable {
  readonly #options: InboxOptions;
  readonly #stop = new AbortController();
  #collected: Collected[] = [];
  #areGuestsToBeLookedAt = false;
  #isWriting = false;
  #writing: Promise<void> = Promise.resolve();
  #hasBegun = false;
  #hasFailed = false;
  /** Events lost for want of room. */
  lost = 0;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** What has been noted is written from now on. */
  begin(): void {
    this.#hasBegun = true;
    this.#writeSoon();
  }

  /** Quick: nothing is read or written. */
  note(event: HookFeedEvent): void {
    this.#options.quiet.note(event);
    if (this.#collected.length >= mostEvents) this.#makeRoom();
    this.#collected.push({ event, guest: this.#options.guestFacts(event.migration.guest) });
    this.#writeSoon();
  }

  /** A guest may have come or gone. Quick as well. */
  noteGuests(): void {
    this.#areGuestsToBeLookedAt = true;
    this.#writeSoon();
  }

  /** Writes what is left, if it is quiet. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#writing;
    if (!this.#hasBegun) return;
    const { quiet, subscriptions, logger } = this.#options;
    try {
      const wanting = await subscriptions();
      if (quiet.isQuiet()) this.#write(this.#take(), wanting);
    } catch (error) {
      logger.error({ err: error }, "alarm: events for hooks were not spooled");
    }
  }

  #writeSoon(): void {
    if (!this.#hasBegun || this.#isWriting || this.#stop.signal.aborted) return;
    this.#isWriting = true;
    this.#writing = this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    const { signal } = this.#stop;
    while (this.#collected.length > 0 || this.#areGuestsToBeLookedAt) {
      await delay(collectingMs, signal).catch(() => {});
      if (!signal.aborted) await this.#writeBatch(signal);
      if (signal.aborted) return;
    }
    this.#isWriting = false;
  }

  /** What is not written is collected again. Never rejects. */
  async #writeBatch(signal: AbortSignal): Promise<void> {
    const { quiet, logger, subscriptions } = this.#options;
    const batch = this.#take();
    try {
      const wanting = await subscriptions();
      await quiet.begin(signal);
      this.#write(batch, wanting);
      this.#hasFailed = false;
    } catch (error) {
      this.#collected = [...batch.events, ...this.#collected];
      this.#areGuestsToBeLookedAt ||= batch.areGuestsToBeLookedAt;
      if (signal.aborted) return;
      if (!this.#hasFailed) {
        logger.error({ err: error }, "alarm: events for hooks cannot be spooled yet");
      }
      this.#hasFailed = true;
      await delay(diskPauseMs, signal).catch(() => {});
    }
  }

  #take(): Batch {
    const batch = {
      events: this.#collected,
      areGuestsToBeLookedAt: this.#areGuestsToBeLookedAt,
    };
    this.#collected = [];
    this.#areGuestsToBeLookedAt = false;
    return batch;
  }

  #write({ events, areGuestsToBeLookedAt }: Batch, subscriptions: readonly Subscription[]): void {
    if (subscriptions.length === 0) return;
    const guests = areGuestsToBeLookedAt ? this.#changedGuests() : [];
    const messages = [
      ...events.flatMap((each) => this.#messageOf(each) ?? []),
      ...guests.map(({ message }) => message),
    ];
    const entries = messages.flatMap((message) => entriesFor(message, subscriptions));
    const marks: SpoolMarks = { outcomes: outcomesOf(events), guests };
    if (entries.length + marks.outcomes.length + guests.length > 0) {
      this.#options.spool.add(entries, marks);
    }
    this.#options.onSpooled(new Set(entries.map(({ subscription }) => subscription)));
  }

  #messageOf({ event, guest }: Collected): HookMessage | null {
    return migrationMessage(event, this.#options.hostName, guest);
  }

  #changedGuests() {
    const { spool, guestsHere, hostName } = this.#options;
    const told = spool.presentGuests();
    const here = guestsHere();
    const nowMs = wallClockMs();
    const gone = [...told].filter(([guest]) => !here.has(guest));
    const come = [...here].filter(([guest]) => !told.has(guest));
    return [
      ...gone.map(([guest, facts]) => ({
        ...{ guest, facts: null },
        message: guestMessage("departed", facts, hostName, nowMs),
      })),
      ...come.map(([guest, facts]) => ({
        ...{ guest, facts },
        message: guestMessage("arrived", facts, hostName, nowMs),
      })),
    ];
  }

  /** Progress goes first, then the oldest; ends are found again in the history. */
  #makeRoom(): void {
    const before = this.#collected.length;
    this.#collected = this.#collected.filter(({ event }) => event.event?.type !== "progress");
    if (this.#collected.length === before) this.#collected = this.#collected.slice(before / 2);
    const lost = before - this.#collected.length;
    this.lost += lost;
    this.#options.logger.error({ lost, rank: ranks.progress }, "alarm: events for hooks are lost");
  }
}

function outcomesOf(collected: readonly Collected[]): SpoolMarks["outcomes"] {
  return collected.flatMap(({ event: { event, migration } }) => {
    const isOver = event === null || isEnd(event);
    if (!isOver || !isOutcome(migration.state)) return [];
    return [{ migration: migration.id, outcome: migration.state }];
  });
}
