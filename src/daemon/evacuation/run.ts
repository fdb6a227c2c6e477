import type { Migrations } from "../../migrator/migrations.ts";
import { delay, wallClockMs } from "../../platform/clock.ts";
import { asSojournError, type SojournError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import { waitAtMost } from "../../platform/waiting.ts";
import { untilCalm } from "../inventory/calm-reader.ts";
import type { MigrationRequest } from "../services.ts";
import {
  type HostCapacity,
  roomsOf,
  surveyDestinations,
  toldDestinations,
} from "./destinations.ts";
import { evacuationError, gone, noRoom } from "./errors.ts";
import { mayRetry, outcomeOf } from "./outcome.ts";
import { fits, neededMib, placeOne } from "./placement.ts";
import { advance, isThrough, type QueueEvent, startable } from "./queue.ts";
import { attemptKey, type StoredEvacuation, type StoredGuest } from "./state.ts";
import type { EvacuationStore } from "./store.ts";

/** What an evacuation is carried out with. */
export interface RunContext {
  host: string;
  store: Pick<EvacuationStore, "put">;
  migrations: Pick<Migrations, "byKey" | "get" | "settled" | "cancel">;
  /** As the API starts a migration. Resolves to its id. */
  startMigration: (request: MigrationRequest, idempotencyKey: string) => Promise<string>;
  capacityOf: (host: string) => Promise<HostCapacity>;
  isHere: (guest: string) => boolean;
  /** Guests that run here and are not of the evacuation, as entries for it. */
  newcomers: (evacuation: StoredEvacuation) => StoredGuest[];
  isGuestStanding: () => boolean;
  logger: Logger;
}

/** Nothing is written while a guest stands, but for longer than this it is not waited for either. */
const longestCalmMs = 1_000;

/** What it waits for just now, such as another host's answer, does not keep the daemon from ending for longer (ms). */
const longestLeavingMs = 1_000;

/** A migration's end is looked for so often, should nobody tell of it (ms). */
const endPollMs = 1_000;

/**
 * Carries one evacuation out, from wherever it is to its end. Every step is stored before it is taken; a migration is found
 * again by its idempotency key, so that a daemon that forgot the last step does nothing twice. Disposing leaves it where it
 * is, for the next daemon.
 */
export class EvacuationRun implements AsyncDisposable {
  readonly #context: RunContext;
  readonly #stop = new AbortController();
  readonly #carried = new Set<Promise<void>>();
  #evacuation: StoredEvacuation;
  #changed = Promise.withResolvers<void>();
  /** Resolves when it has ended, or was left. */
  readonly done: Promise<void>;

  constructor(context: RunContext, evacuation: StoredEvacuation) {
    this.#context = context;
    this.#evacuation = evacuation;
    this.done = this.#drive().catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      context.logger.error(
        { evacuation: evacuation.id, err: error },
        "the evacuation stands still",
      );
    });
  }

  get evacuation(): StoredEvacuation {
    return this.#evacuation;
  }

  /** Nothing that is queued is begun any more; with `running`, what is under way is taken back where that is possible. */
  async cancel(running: boolean): Promise<void> {
    await this.#note({ type: "cancel-asked", running });
    if (!running) return;
    for (const { state, migration } of this.#evacuation.guests) {
      if (state === "migrating" && migration !== null) this.#takeBack(migration);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the daemon ends"));
    this.#changed.resolve();
    await waitAtMost(longestLeavingMs, Promise.allSettled([this.done, ...this.#carried]));
  }

  async #drive(): Promise<void> {
    for (const { guest, state } of this.#evacuation.guests) {
      if (state === "migrating") this.#carry(guest);
    }
    for (;;) {
      this.#stop.signal.throwIfAborted();
      const changed = this.#changed.promise;
      const [next] = startable(this.#evacuation);
      if (next !== undefined) await this.#send(next);
      else if (!isThrough(this.#evacuation)) await changed;
      else if (!(await this.#findNewcomers())) break;
    }
    await this.#note({ type: "ended", atMs: Math.round(wallClockMs()) });
    const { id, state } = this.#evacuation;
    this.#context.logger.info({ evacuation: id, state }, "evacuation ended");
  }

  /** Sends the guest on its way, unless that has to wait for its destination's turn. */
  async #send({ guest }: StoredGuest): Promise<void> {
    if (!this.#context.isHere(guest)) return await this.#skip(guest);
    try {
      const to = await this.#destinationOf(this.#guest(guest));
      this.#stop.signal.throwIfAborted();
      if (to !== this.#guest(guest).to) await this.#note({ type: "placed", guest, to });
    } catch (error) {
      return await this.#fail(guest, asSojournError(error));
    }
    if (!startable(this.#evacuation).some((one) => one.guest === guest)) return;
    await this.#note({ type: "started", guest });
    this.#carry(guest);
  }

  /** Where it was to go, if there is room still; otherwise somewhere else. @throws SojournError `SOJ_EVACUATION_NO_ROOM`. */
  async #destinationOf(guest: StoredGuest): Promise<string> {
    const { host, capacityOf } = this.#context;
    const { to: hosts } = this.#evacuation.request;
    const sized = { guest: guest.guest, memoryMib: guest.memory_mib, home: guest.home };
    if (guest.to !== null) {
      const planned = await surveyDestinations([guest.to], capacityOf);
      const [room] = roomsOf(planned, this.#evacuation.guests);
      if (room !== undefined && fits(sized, room)) return guest.to;
    }
    const all = await surveyDestinations(hosts, capacityOf);
    const rooms = roomsOf(all, this.#evacuation.guests);
    const others = rooms.filter((room) => room.host !== guest.failed_at);
    const to = placeOne(sized, others) ?? placeOne(sized, rooms);
    if (to === null) throw noRoom(guest.guest, neededMib(sized), host, toldDestinations(all));
    return to;
  }

  #carry(guest: string): void {
    const carried = this.#seeOut(guest).catch(async (error: unknown) => {
      if (!this.#stop.signal.aborted) await this.#refused(guest, asSojournError(error));
    });
    this.#carried.add(carried);
    void carried.finally(() => this.#carried.delete(carried));
  }

  /** Begins the guest's migration, or finds it begun, and follows it to its end. */
  async #seeOut(guest: string): Promise<void> {
    const { migrations, startMigration } = this.#context;
    const { attempt, to } = this.#guest(guest);
    const key = attemptKey(this.#evacuation.id, guest, attempt);
    const begunBefore = migrations.byKey(key)?.id;
    if (begunBefore === undefined && this.#evacuation.cancel !== "nothing") {
      return await this.#note({ type: "cancelled", guest, error: null });
    }
    const migration = begunBefore ?? (await startMigration(this.#requestOf(guest, to ?? ""), key));
    this.#stop.signal.throwIfAborted();
    await this.#note({ type: "begun", guest, migration });
    if (this.#evacuation.cancel === "all") this.#takeBack(migration);
    const ended = await this.#ended(migration);
    await this.#note(outcomeOf(guest, ended, begunBefore !== undefined));
  }

  #requestOf(guest: string, to: string): MigrationRequest {
    const {
      to: _hosts,
      parallel: _all,
      parallel_per_link: _link,
      ...wishes
    } = this.#evacuation.request;
    return { ...wishes, guest, to };
  }

  async #ended(id: string) {
    const { migrations } = this.#context;
    for (;;) {
      await migrations.settled(id, endPollMs);
      this.#stop.signal.throwIfAborted();
      const stored = migrations.get(id);
      if (stored.endedMs !== null) return stored;
      await delay(50, this.#stop.signal);
    }
  }

  /** Its migration was not begun. */
  async #refused(guest: string, error: SojournError): Promise<void> {
    if (this.#context.isHere(guest)) await this.#fail(guest, error);
    else await this.#skip(guest);
  }

  async #fail(guest: string, error: SojournError): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { id } = this.#evacuation;
    this.#context.logger.warn({ evacuation: id, guest, err: error }, "not moved");
    const isAgain = mayRetry(error);
    await this.#note({ type: "failed", guest, error: evacuationError(error), mayRetry: isAgain });
  }

  async #skip(guest: string): Promise<void> {
    const error = evacuationError(gone(guest, this.#context.host), 0);
    await this.#note({ type: "skipped", guest, error });
  }

  async #findNewcomers(): Promise<boolean> {
    if (this.#evacuation.cancel !== "nothing") return false;
    const guests = this.#context.newcomers(this.#evacuation);
    if (guests.length > 0) await this.#note({ type: "found", guests });
    return guests.length > 0;
  }

  #takeBack(migration: string): void {
    try {
      this.#context.migrations.cancel(migration);
    } catch (error) {
      // Its guest is at the destination, or about to be: the evacuation waits for that.
      const { id } = this.#evacuation;
      this.#context.logger.info({ evacuation: id, migration, err: error }, "it is not taken back");
    }
  }

  #guest(name: string): StoredGuest {
    const found = this.#evacuation.guests.find(({ guest }) => guest === name);
    if (found === undefined) throw new Error(`${name} is not of ${this.#evacuation.id}`);
    return found;
  }

  /** Durable when it resolves, where the disk takes it: what it does not take is found again by the migration's key. */
  async #note(event: QueueEvent): Promise<void> {
    this.#evacuation = advance(this.#evacuation, event);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
    await waitAtMost(
      longestCalmMs,
      untilCalm(this.#context.isGuestStanding).catch(() => {}),
    );
    try {
      this.#context.store.put(this.#evacuation);
    } catch (error) {
      const { id } = this.#evacuation;
      this.#context.logger.error({ evacuation: id, err: error }, "the evacuation cannot be stored");
    }
  }
}
