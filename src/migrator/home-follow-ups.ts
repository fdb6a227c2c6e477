import { delay, monotonicMs } from "../platform/clock.ts";
import type { HomeContext } from "./home-duties.ts";
import { attachmentOf } from "./network.ts";
import { openRedirect } from "./open-redirect.ts";
import { released } from "./repointing.ts";

/** Between two looks at a move that is prepared here. */
const lookMs = 5_000;

/** What the guest sent last at the host that it has left has come after this long, whether that host says so or not. */
const previousMs = 60_000;

/**
 * What home keeps for a move between two other hosts goes when the move's source says so; a source that was restarted, or is
 * gone, is asked here.
 */
export class HomeFollowUps implements Disposable {
  readonly #context: HomeContext;
  readonly #stop = new AbortController();
  readonly #following = new Set<string>();

  constructor(context: HomeContext) {
    this.#context = context;
  }

  begin(): void {
    for (const { guest } of this.#context.records.all()) this.follow(guest);
  }

  follow(guest: string): void {
    if (this.#following.has(guest) || this.#open(guest) === null) return;
    this.#following.add(guest);
    this.#follow(guest)
      .catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#context.logger.error({ guest, err: error }, "alarm: a move is not followed any more");
      })
      .finally(() => this.#following.delete(guest));
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #follow(guest: string): Promise<void> {
    const { signal } = this.#stop;
    const sinceMs = new Map<string, number>();
    for (;;) {
      await delay(lookMs, signal);
      const open = this.#open(guest);
      if (open === null) return;
      for (const migration of open) {
        const since = sinceMs.get(migration.id) ?? monotonicMs();
        sinceMs.set(migration.id, since);
        const isLate = migration.isPrevious && monotonicMs() - since > previousMs;
        if (isLate || (await this.#isOver(guest, migration)))
          await this.#releaseOrLater(guest, migration.id);
      }
    }
  }

  /** What a disk or the kernel refuses now is tried again at the next look. */
  async #releaseOrLater(guest: string, migration: string): Promise<void> {
    try {
      await this.#release(guest, migration);
    } catch (error) {
      this.#context.logger.warn({ guest, migration, err: error }, "not removed yet");
    }
  }

  /** The moves for which something is kept, each with the host that the guest leaves, or has left. */
  #open(guest: string): { id: string; source: string; isPrevious: boolean }[] | null {
    const record = this.#context.records.get(guest);
    if (!record?.redirect || record.home.host !== this.#context.host.name) return null;
    const { host, next, previous } = record.redirect;
    const open = [
      ...(next === undefined ? [] : [{ id: next.migration, source: host, isPrevious: false }]),
      ...(previous === undefined
        ? []
        : [{ id: previous.migration, source: previous.host, isPrevious: true }]),
    ];
    return open.length === 0 ? null : open;
  }

  /**
   * False while the source does not say, and of one that was only prepared while the source has not the guest: it went on
   * to the other host then, which is still to say so, or that it has ended there.
   */
  async #isOver(
    guest: string,
    { id, source, isPrevious }: { id: string; source: string; isPrevious: boolean },
  ): Promise<boolean> {
    const { logger, peer } = this.#context;
    try {
      const { over, here } = await peer(source).call("is-move-over", { id, guest });
      return over && (here || isPrevious);
    } catch (error) {
      logger.debug({ guest, migration: id, err: error }, "the move's source does not answer");
      return false;
    }
  }

  async #release(guest: string, migration: string): Promise<void> {
    const { host, logger, network, records } = this.#context;
    using _held = await network.hold();
    const record = openRedirect(records.get(guest));
    // One that comes home just now may not: then it is as before.
    const changed = record === null ? null : released(record, migration);
    if (changed === null) return;
    await network.changeWhileHeld(changed);
    const { address } = attachmentOf(host, changed);
    logger.info({ guest, address, migration }, "the move is over: what it needed here is removed");
  }
}
