import type { HostContext } from "../../migrator/host-context.ts";
import type { Drain } from "../../migrator/records.ts";
import { delay, startTimer, wallClockMs } from "../../platform/clock.ts";
import {
  asSojournError,
  hasCode,
  preconditionError,
  type SojournError,
} from "../../platform/errors.ts";
import { lessAndLessOften, retry } from "../../platform/retry.ts";
import type { DnsConfig } from "./config.ts";
import { nameOf } from "./guest-name.ts";
import type { MovedNames } from "./moved-names.ts";
import type { NameServer } from "./name-server.ts";
import { type NameTask, nameTask } from "./name-task.ts";

/** What has become of a guest's name. */
export interface NameNews {
  guest: string;
  /** That gave the guest its other address. */
  migration: string;
  name: string;
  /** Where it leads now, or was to lead; null: nowhere. */
  address: string | null;
  /** Resolvers may answer with the old address for so long (s); null when that is not known, or not asked. */
  ttlS: number | null;
  /** Null when it was updated; else it is tried again. */
  failure: SojournError | null;
}

export interface GuestNamesOptions {
  config: DnsConfig;
  context: Pick<HostContext, "host" | "records" | "network" | "logger">;
  server: Pick<NameServer, "ttlOf" | "change">;
  moved: MovedNames;
  /** No process is started while a guest stands. */
  isGuestStanding: () => boolean;
  tell: (news: NameNews) => void;
}

/** Moves of a guest that a server may miss one after another. */
const mostEarlier = 100;

/** Between two looks at whether a guest still stands. */
const calmMs = 200;

/**
 * Leads the names of guests that are renumbered to their new addresses, and back when they are home again or have ended.
 * Compares what was done with what the records say, so that it makes no difference when this daemon, or the server, was
 * away. What fails is tried again, less and less often.
 */
export class GuestNames implements Disposable {
  readonly #options: GuestNamesOptions;
  readonly #stop = new AbortController();
  readonly #busy = new Map<string, boolean>();
  #subscription: Disposable | null = null;

  constructor(options: GuestNamesOptions) {
    this.#options = options;
  }

  /** Names that are not where they should lead. */
  get pending(): number {
    return [...this.#guests()].filter((guest) => this.#taskOf(guest) !== null).length;
  }

  begin(): void {
    const { records } = this.#options.context;
    this.#subscription = records.subscribe((before, after) => {
      const guest = after?.guest ?? before?.guest;
      // The listener's caller may be in a hurry.
      if (guest !== undefined) startTimer(() => this.#look(guest), 0, false);
    });
    for (const guest of this.#guests()) this.#look(guest);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#subscription?.[Symbol.dispose]();
  }

  #guests(): Set<string> {
    const { context, moved } = this.#options;
    return new Set([...context.records.all(), ...moved.all()].map(({ guest }) => guest));
  }

  #taskOf(guest: string): NameTask | null {
    const { context, moved } = this.#options;
    const all = context.records.all();
    const others = all.filter((record) => record.guest !== guest);
    return nameTask(context.host.name, context.records.get(guest), moved.get(guest), others);
  }

  /** One at a time for each guest; what changes meanwhile is looked at afterwards. */
  #look(guest: string): void {
    if (this.#busy.has(guest)) {
      this.#busy.set(guest, true);
      return;
    }
    if (this.#stop.signal.aborted || this.#taskOf(guest) === null) return;
    this.#busy.set(guest, false);
    void this.#work(guest).finally(() => {
      const again = this.#busy.get(guest) === true;
      this.#busy.delete(guest);
      if (again) this.#look(guest);
    });
  }

  async #work(guest: string): Promise<void> {
    const { signal } = this.#stop;
    const onFailure = (error: unknown) => this.#tellFailure(guest, error);
    try {
      await retry(() => this.#carryOut(guest), { ...lessAndLessOften, signal, onFailure, isFinal });
    } catch (error) {
      if (!signal.aborted) onFailure(error);
    }
  }

  async #carryOut(guest: string): Promise<void> {
    while (this.#options.isGuestStanding()) await delay(calmMs, this.#stop.signal);
    const task = this.#taskOf(guest);
    if (task?.kind === "move") await this.#move(guest, task);
    else if (task !== null) await this.#setBack(guest, task);
  }

  async #move(guest: string, task: Extract<NameTask, { kind: "move" }>): Promise<void> {
    const { moved, server } = this.#options;
    const { from, to, migration } = task;
    const name = this.#nameOf(guest);
    const oldTtlS = await this.#oldTtl(name, from);
    // Before the update: a daemon that ends in between would ask the new record.
    await this.#note(guest, migration, ({ nameTtlS }) => ({
      nameTtlS: Math.max(nameTtlS, oldTtlS ?? 0),
    }));
    const earlier = this.#earlier(guest, name, to);
    const now = { guest, name, home: from, away: to, migration };
    moved.put({ ...now, earlier });
    await server.change({ name, remove: [from, ...earlier], add: to });
    if (earlier.length > 0) moved.put(now);
    await this.#note(guest, migration, () => ({ nameUpdatedMs: wallClockMs() }));
    this.#tell({ guest, migration, name, address: to, ttlS: oldTtlS, failure: null });
  }

  async #setBack(guest: string, task: Extract<NameTask, { kind: "set-back" }>): Promise<void> {
    const { moved, server } = this.#options;
    const { from, to, migration } = task;
    const name = moved.get(guest)?.name ?? this.#nameOf(guest);
    const remove = [from, ...this.#earlier(guest, name, from)];
    await server.change({ name, remove, add: to });
    moved.remove(guest);
    this.#tell({ guest, migration, name, address: to, ttlS: null, failure: null });
  }

  /** Addresses but `current` to which the name has been led, of which the server may not have been told that it is over. */
  #earlier(guest: string, name: string, current: string): string[] {
    const known = this.#options.moved.get(guest);
    if (known === undefined || known.name !== name) return [];
    const all = [...(known.earlier ?? []), known.away];
    return [...new Set(all)].filter((address) => address !== current).slice(-mostEarlier);
  }

  /** That of our own records where the server does not say: one that takes updates alone may answer no questions. */
  async #oldTtl(name: string, address: string): Promise<number | null> {
    const { server, config, context } = this.#options;
    try {
      return await server.ttlOf(name, address);
    } catch (error) {
      context.logger.warn({ name, err: error, ttl_s: config.ttlS }, "the name's TTL is not known");
      return config.ttlS;
    }
  }

  /** Changes what home remembers of this drain, if it is still the same; nothing in the kernel depends on it. */
  async #note(
    guest: string,
    migration: string,
    change: (drain: Drain) => Partial<Drain>,
  ): Promise<void> {
    const { network, records } = this.#options.context;
    using _held = await network.hold();
    const record = records.get(guest);
    const drain = record?.redirect?.drain;
    if (!record?.redirect || drain?.migration !== migration) return;
    const redirect = { ...record.redirect, drain: { ...drain, ...change(drain) } };
    records.put({ ...record, redirect });
  }

  #nameOf(guest: string): string {
    const name = nameOf(this.#options.config, guest);
    if (name !== null) return name;
    throw preconditionError(
      "SOJ_DNS_NAME",
      `${guest} makes no name under ${this.#options.config.zone}`,
      {
        hint: "correct [dns] name; a label has letters, digits, - and _ and at most 63 characters",
      },
    );
  }

  #tellFailure(guest: string, error: unknown): void {
    const task = this.#taskOf(guest);
    if (task === null) return;
    const name = nameOf(this.#options.config, guest) ?? guest;
    const failure = asSojournError(error);
    this.#tell({ guest, migration: task.migration, name, address: task.to, ttlS: null, failure });
  }

  #tell(news: NameNews): void {
    const { logger } = this.#options.context;
    const { failure, ...facts } = news;
    if (failure === null) logger.info(facts, "the guest's name leads elsewhere");
    else logger.warn({ ...facts, err: failure }, "the guest's name is not updated yet");
    this.#options.tell(news);
  }
}

/** Nothing but another configuration helps. */
function isFinal(error: unknown): boolean {
  return hasCode(error, "SOJ_DNS_NAME");
}
