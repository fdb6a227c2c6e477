import { retry } from "../platform/retry.ts";
import type { DepartedRecord, DrainContext } from "./drain-context.ts";
import { type DrainFigures, GuestDrain } from "./guest-drain.ts";
import { addressOf, isGoing, openRedirect } from "./open-redirect.ts";
import type { GuestRecord } from "./records.ts";
import { Retiring } from "./retiring.ts";

/** Between two tries of what follows a retirement. */
const concludingPace = { pauseMs: 2_000, longestPauseMs: 60_000 };

/**
 * The redirects of this host that are to go: sees to each until it is retired, or its guest has come home or ended, or a
 * migration moves it. What it has come to is in the guests' records: a daemon that is restarted goes on with it.
 */
export class Drains implements AsyncDisposable {
  readonly #context: DrainContext;
  readonly #retiring: Retiring;
  readonly #drains = new Map<string, GuestDrain>();
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
      if (guest !== undefined) this.#consider(guest, after);
    });
    for (const record of records.all()) this.#consider(record.guest, record);
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
    await Promise.all(this.#ending);
  }

  /** Quick: a guest may stand. */
  #consider(guest: string, record: GuestRecord | undefined): void {
    if (this.#stop.signal.aborted) return;
    const away = openRedirect(record);
    const known = this.#drains.get(guest);
    if (away === null || !isGoing(away)) this.#end(guest);
    else if (known === undefined) {
      this.#drains.set(guest, new GuestDrain(this.#context, this.#retiring, guest));
    } else if (away.redirect.retiring !== undefined) known.wake();
    if (record?.departed && record.departed.told !== true && record.hosting === null) {
      this.#conclude({ ...record, departed: record.departed });
    }
  }

  #end(guest: string): void {
    const drain = this.#drains.get(guest);
    this.#drains.delete(guest);
    if (drain === undefined) return;
    const ending = drain[Symbol.asyncDispose]().finally(() => this.#ending.delete(ending));
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
      .finally(() => {
        this.#concluding.delete(guest);
        this.#ending.delete(concluding);
      });
    this.#ending.add(concluding);
  }

  async #concludeOnce(guest: string): Promise<void> {
    const { network, records, tell } = this.#context;
    const record = records.get(guest);
    if (!record?.departed || record.departed.told === true || record.hosting !== null) return;
    await this.#forgetFlows(record);
    using _held = await network.hold();
    const current = records.get(guest);
    if (!current?.departed || current.departed.told === true) return;
    const { departed } = current;
    tell.retired({ ...current, departed });
    records.put({ ...current, departed: { ...departed, told: true } });
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
