import { retry } from "../platform/retry.ts";
import { waitAtMost } from "../platform/waiting.ts";
import type { DepartedRecord, DrainContext } from "./drain-context.ts";
import { type DrainFigures, GuestDrain } from "./guest-drain.ts";
import { addressOf, isGoing, openRedirect } from "./open-redirect.ts";
import type { GuestRecord } from "./records.ts";
import { Retiring } from "./retiring.ts";

/** Between two tries of what follows a retirement. */
const concludingPace = { pauseMs: 2_000, longestPauseMs: 60_000 };

/** How long what is being done may take to come to its end; it is done again by the next daemon. */
const windDownMs = 5_000;

/**
 * The redirects of this host that are to go: sees to each until it is retired, or its guest has come home or ended, or a
 * migration moves it. What it has come to is in the guests' records: a daemon that is restarted goes on with it.
 */
export class Drains implements AsyncDisposable {
  readonly #context: DrainContext;
  readonly #retiring: Retiring;
  readonly #drains = new Map<string, GuestDrain>();
  readonly #considering = new Set<string>();
  readonly #concluding = new Set<string>();
  readonly #ending = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #listening: Disposable | null = null;

  constructor(context: DrainContext) {
    this.#context = context;
    this.#retiring = new Retiring(context);
  }

  get retiring(): Retiring {
    return this.#retiring;
  }

  /** Once this host's network is as its records say. */
  begin(): void {
    const { records } = this.#context;
    this.#listening = records.subscribe((before, after) => {
      const guest = after?.guest ?? before?.guest;
      const isConcerned = after?.redirect || after?.departed || before?.redirect;
      if (guest !== undefined && isConcerned) this.#considerSoon(guest);
    });
    for (const record of records.all()) this.#considerSoon(record.guest);
  }

  /** Of each redirect that is to go. */
  figures(): DrainFigures[] {
    return [...this.#drains.values()].map(({ figures }) => figures);
  }

  /** How long the flows of a guest's old address have been idle, in milliseconds, by their ids; null where nobody looks. */
  idleMs(guest: string): ReadonlyMap<string, number> | null {
    return this.#drains.get(guest)?.idleMs ?? null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listening?.[Symbol.dispose]();
    this.#stop.abort();
    for (const guest of [...this.#drains.keys()]) this.#end(guest);
    await waitAtMost(windDownMs, Promise.all(this.#ending));
  }

  /** Quick: a guest may stand. */
  #considerSoon(guest: string): void {
    if (this.#considering.has(guest) || this.#stop.signal.aborted) return;
    this.#considering.add(guest);
    void this.#settled(guest).then(() => {
      this.#considering.delete(guest);
      if (!this.#stop.signal.aborted) this.#consider(guest, this.#context.records.get(guest));
    });
  }

  #consider(guest: string, record: GuestRecord | undefined): void {
    const away = openRedirect(record);
    const known = this.#drains.get(guest);
    if (away === null || !isGoing(away)) this.#end(guest);
    else if (known === undefined) this.#begin(guest, away.redirect.drain?.migration);
    else if (known.migration !== away.redirect.drain?.migration) {
      this.#end(guest);
      this.#begin(guest, away.redirect.drain?.migration);
    } else if (away.redirect.retiring !== undefined) known.wake();
    if (record?.departed && record.departed.told !== true && record.hosting === null) {
      this.#conclude({ ...record, departed: record.departed });
    }
  }

  #begin(guest: string, migration: string | undefined): void {
    const drain = new GuestDrain(this.#context, this.#retiring, guest, migration);
    this.#drains.set(guest, drain);
    // It sees by itself that there is nothing (more) to do; by then there may be again.
    const followed = drain.ended.then(() => {
      if (this.#drains.get(guest) !== drain) return;
      this.#drains.delete(guest);
      this.#considerSoon(guest);
    });
    this.#outlast(followed);
  }

  #end(guest: string): void {
    const drain = this.#drains.get(guest);
    this.#drains.delete(guest);
    if (drain !== undefined) this.#outlast(drain[Symbol.asyncDispose]());
  }

  /** Disposing waits for it. */
  #outlast(work: Promise<void>): void {
    const ending = work.finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  /** What follows once the redirect is gone: nothing here remembers its flows, and everybody hears of it. */
  #conclude({ guest }: DepartedRecord): void {
    if (this.#concluding.has(guest)) return;
    this.#concluding.add(guest);
    const { signal } = this.#stop;
    const onFailure = (error: unknown) =>
      this.#context.logger.warn({ guest, err: error }, "the retirement is not concluded yet");
    const concluding = retry(() => this.#concludeOnce(guest), {
      ...{ ...concludingPace, signal, onFailure },
    })
      // Rejects only when it is stopped; the next daemon goes on.
      .catch(() => {})
      .finally(() => this.#concluding.delete(guest));
    this.#outlast(concluding);
  }

  async #concludeOnce(guest: string): Promise<void> {
    const { network, records, tell } = this.#context;
    const record = await this.#settled(guest);
    if (!record?.departed || record.departed.told === true || record.hosting !== null) return;
    await this.#forgetFlows(record);
    using _held = await network.hold();
    const current = records.get(guest);
    if (!current?.departed || current.departed.told === true) return;
    const { departed } = current;
    tell.retired({ ...current, departed });
    records.put({ ...current, departed: { ...departed, told: true } });
  }

  /** While the network is being changed a record says already what the kernel may refuse. */
  async #settled(guest: string): Promise<GuestRecord | undefined> {
    using _held = await this.#context.network.hold();
    return this.#context.records.get(guest);
  }

  /** Those of its old address, unless that is another guest's by now. The kernel forgets what is left in time. */
  async #forgetFlows(record: GuestRecord): Promise<void> {
    const { flows, logger, records } = this.#context;
    const address = addressOf(record);
    const others = records.all().filter(({ guest }) => guest !== record.guest);
    const used = others.flatMap((one) => [addressOf(one), one.hosting?.renumbered]);
    if (used.includes(address)) return;
    try {
      await flows.forget(await flows.read(address));
    } catch (error) {
      logger.warn(
        { guest: record.guest, err: error },
        "flows of the old address are not forgotten",
      );
    }
  }
}
