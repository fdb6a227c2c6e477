import { monotonicMs, startTimer, type Timer } from "../platform/clock.ts";
import { AsyncLock } from "../platform/lock.ts";
import type { Logger } from "../platform/log.ts";
import { longestPauseMs } from "../platform/loop-watch.ts";
import type { DestinationMigration } from "./destination.ts";
import { checkEpoch } from "./epochs.ts";

/** Without a word from the source for this long, a destination that holds nothing gives up. */
const leaseMs = 30_000;

/** The same after a standstill of this host's own; a source renews twice in it. */
const secondChanceMs = 10_000;

export type Identity = { id: string; guest: string; epoch: number };

export interface Arrival {
  readonly migration: DestinationMigration;
  /** One step at a time: an abort waits for the preparation it interrupts. */
  readonly lock: AsyncLock;
}

type Entry = Arrival & { lease: Timer | null };

/** The migrations that arrive at this host, each with the lease that words of its source renew. */
export class Arrivals implements Disposable {
  readonly #logger: Logger;
  readonly #entries = new Map<string, Entry>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(migration: DestinationMigration): Arrival {
    const entry: Entry = { migration, lock: new AsyncLock(), lease: null };
    this.#entries.set(migration.identity.id, entry);
    this.#renewLease(entry);
    return entry;
  }

  drop(id: string): void {
    this.#entries.get(id)?.lease?.cancel();
    this.#entries.delete(id);
  }

  get(id: string): Arrival | undefined {
    return this.#entries.get(id);
  }

  /** The one that a source speaks of; its lease is renewed. @throws SojournError `SOJ_STALE_EPOCH`. */
  find(identity: Identity): Arrival | undefined {
    const entry = this.#entries.get(identity.id);
    if (entry === undefined) return undefined;
    if (entry.migration.identity.epoch !== identity.epoch) {
      checkEpoch(undefined, identity, "destination");
    }
    this.#renewLease(entry);
    return entry;
  }

  /** From the first word of its source on: the guest's record follows only once the kernel has. */
  isArriving(guest: string): boolean {
    return [...this.#entries.values()].some(
      ({ migration }) =>
        migration.identity.guest === guest && migration.state.answer().state === "incoming",
    );
  }

  /** The same, of one that others began with libvirt. */
  isFollowing(guest: string): boolean {
    return [...this.#entries.values()].some(
      ({ migration }) =>
        migration.isFollowed &&
        migration.identity.guest === guest &&
        migration.state.answer().state === "incoming",
    );
  }

  /** Lets go of timers. */
  [Symbol.dispose](): void {
    for (const id of [...this.#entries.keys()]) this.drop(id);
  }

  #renewLease(entry: Entry, lengthMs = leaseMs): void {
    entry.lease?.cancel();
    const dueMs = monotonicMs() + lengthMs;
    const expire = () => {
      const { phase } = entry.migration.state;
      // The journal answers for it from now on.
      if (phase === "aborted") this.drop(entry.migration.identity.id);
      if (phase !== "incoming") return;
      // We, not the source, have been silent: what it said meanwhile has not been read yet.
      if (monotonicMs() - dueMs > longestPauseMs) return this.#renewLease(entry, secondChanceMs);
      this.#logger.warn(entry.migration.identity, "the source has fallen silent");
      entry.lock
        .run(() => entry.migration.giveUp())
        .then((isOver) => {
          if (!isOver) this.#renewLease(entry);
        })
        .catch((error: unknown) => {
          const { identity } = entry.migration;
          this.#logger.error({ ...identity, err: error }, "not given up yet");
          if (this.#entries.get(identity.id) === entry) this.#renewLease(entry);
        });
    };
    entry.lease = startTimer(expire, lengthMs, false);
  }
}
