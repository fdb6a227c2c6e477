import type { StreamEvent } from "../../migrator/stored-migration.ts";
import { wallClockMs } from "../../platform/clock.ts";
import { preconditionError } from "../../platform/errors.ts";
import { surveyDestinations, toldDestinations } from "./destinations.ts";
import {
  alreadyRunning,
  damagedEvacuations,
  nowhere,
  sameHost,
  unknownEvacuation,
  unstored,
} from "./errors.ts";
import { measureLoads, type RunningGuest } from "./guests.ts";
import { bounds, entryOf, type Findings, planOf, queueOf } from "./plan.ts";
import { progressOf } from "./progress.ts";
import { advance } from "./queue.ts";
import { EvacuationRun, type RunContext } from "./run.ts";
import type { Evacuation, EvacuationPlan, EvacuationRequest } from "./schemas.ts";
import { evacuationOf, newEvacuationId, type StoredEvacuation } from "./state.ts";
import type { EvacuationStore } from "./store.ts";

export interface EvacuationsOptions extends Omit<RunContext, "store" | "isHere" | "newcomers"> {
  store: EvacuationStore;
  guestsHere: () => RunningGuest[];
  /** @throws SojournError `SOJ_HOST_UNKNOWN` unless it is a peer. */
  checkPeer: (host: string) => void;
  /** From now on no guest comes here. Durable when it returns. */
  beginMaintenance: (reason: string) => void;
  eventsOf: (migration: string) => readonly StreamEvent[];
  /** Of the link to these hosts; null where it is not known. Never throws. */
  linkBytesPerSecond: (to: readonly string[]) => Promise<number | null>;
}

/** Evacuations of this host: one at a time, each in a durable file, gone on with after a restart. */
export class Evacuations implements AsyncDisposable {
  readonly #options: EvacuationsOptions;
  readonly #damaged: { path: string; reason: string }[];
  /** Newest first; of the one that runs `#run` knows more. */
  #known: StoredEvacuation[];
  #run: EvacuationRun | null = null;
  #isStarting = false;
  #isDisposed = false;

  constructor(options: EvacuationsOptions) {
    this.#options = options;
    const { evacuations, damaged } = options.store.readAll();
    this.#known = evacuations;
    this.#damaged = damaged;
    for (const { path, reason } of damaged)
      options.logger.error({ path, reason }, "alarm: a stored evacuation cannot be read");
  }

  /** The one under way, or null. */
  get current(): string | null {
    const running = this.#known.find(({ id }) => this.#stored(id).ended_ms === null);
    return running?.id ?? null;
  }

  /** How many guests of the evacuation under way are in which state; nothing without one. */
  get figures(): ReadonlyMap<string, number> {
    const id = this.current;
    const states = id === null ? [] : this.#stored(id).guests.map(({ state }) => state);
    return new Map(Object.entries(Object.groupBy(states, (state) => state)).map(countOf));
  }

  /** Goes on with what an earlier daemon left. */
  begin(): void {
    const left = this.#known.filter(({ ended_ms: endedMs }) => endedMs === null);
    const [newest, ...older] = left;
    if (newest === undefined) return;
    for (const one of older) this.#endUnstored(one);
    this.#options.logger.warn({ evacuation: newest.id }, "going on");
    try {
      this.#options.beginMaintenance(reasonOf(newest.id));
    } catch (error) {
      this.#options.logger.error({ evacuation: newest.id, err: error }, "not in maintenance");
    }
    this.#run = new EvacuationRun(this.#runContext(), newest);
  }

  async plan(request: EvacuationRequest): Promise<EvacuationPlan> {
    const findings = await this.#look(request);
    return planOf(findings, request, queueOf(findings));
  }

  async start(request: EvacuationRequest): Promise<Evacuation> {
    this.#refuseSecond();
    this.#isStarting = true;
    try {
      const findings = await this.#look(request);
      const guests = queueOf(findings);
      if (guests.length > 0 && guests.every(({ to }) => to === null)) {
        const told = toldDestinations(findings.destinations);
        throw nowhere(findings.host, told, smallestNeed(findings.guests));
      }
      return this.#begin({
        ...{ type: "evacuation", id: newEvacuationId(), host: findings.host, state: "running" },
        ...{ started_ms: Math.round(wallClockMs()), ended_ms: null, to: request.to },
        ...{ ...bounds(request), guests, request, cancel: "nothing" },
      });
    } finally {
      this.#isStarting = false;
    }
  }

  list(): Evacuation[] {
    return this.#known.map(({ id }) => this.#told(id));
  }

  /** Null for one that is not this host's. */
  find(id: string): Evacuation | null {
    return this.#known.some((one) => one.id === id) ? this.#told(id) : null;
  }

  /** @throws SojournError `SOJ_EVACUATION_UNKNOWN`, `SOJ_TOO_LATE`. */
  async cancel(id: string, running: boolean): Promise<Evacuation> {
    const found = this.find(id);
    if (found === null) throw unknownEvacuation(this.#options.host, id, []);
    if (this.#run?.evacuation.id !== id || this.#run.evacuation.ended_ms !== null) {
      throw preconditionError("SOJ_TOO_LATE", `evacuation ${id} has ended: ${found.state}`, {
        hint: `sojourn evacuation show ${id}`,
      });
    }
    await this.#run.cancel(running);
    return this.#told(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    await this.#run?.[Symbol.asyncDispose]();
  }

  /** A later one was begun after its end, which the disk had not taken: it must not go on, nor count as under way. */
  #endUnstored(evacuation: StoredEvacuation): void {
    const { store, logger } = this.#options;
    const { id } = evacuation;
    const cancelled = advance(evacuation, { type: "cancel-asked", running: false });
    const ended = advance(cancelled, { type: "ended", atMs: Math.round(wallClockMs()) });
    this.#known = this.#known.map((one) => (one.id === id ? ended : one));
    logger.warn({ evacuation: id }, "over: a later one was begun");
    try {
      store.put(ended);
    } catch (error) {
      logger.error({ evacuation: id, err: error }, "the evacuation cannot be stored");
    }
  }

  #begin(evacuation: StoredEvacuation): Evacuation {
    const { beginMaintenance, store, logger } = this.#options;
    if (this.#isDisposed) this.#refuseSecond();
    const { id, host, to, guests } = evacuation;
    beginMaintenance(reasonOf(id));
    try {
      store.put(evacuation);
    } catch (error) {
      throw unstored(host, error);
    }
    logger.info({ evacuation: id, to, guests: guests.length }, "evacuation begun");
    const ended = this.#known.map((one) => this.#stored(one.id));
    this.#known = store.prune([evacuation, ...ended]);
    this.#run = new EvacuationRun(this.#runContext(), evacuation);
    return this.#told(id);
  }

  /** What there is to move, and where to. @throws SojournError when a destination cannot be one, or none can. */
  async #look({ to }: EvacuationRequest): Promise<Findings> {
    const { host, checkPeer, guestsHere, capacityOf } = this.#options;
    if (to.includes(host)) throw sameHost(host);
    for (const destination of to) checkPeer(destination);
    const guests = guestsHere();
    const [loads, destinations, linkBytesPerSecond] = await Promise.all([
      measureLoads(guests),
      surveyDestinations(to, capacityOf),
      this.#options.linkBytesPerSecond(to),
    ]);
    if (destinations.every(({ error }) => error !== null)) {
      throw nowhere(host, toldDestinations(destinations), "no destination takes guests");
    }
    return { host, guests, loads, destinations, linkBytesPerSecond };
  }

  #refuseSecond(): void {
    const { host } = this.#options;
    if (this.#damaged.length > 0) throw damagedEvacuations(host, this.#damaged);
    const id = this.current;
    if (id !== null) throw alreadyRunning(host, id);
    if (!this.#isStarting && !this.#isDisposed) return;
    throw preconditionError(
      "SOJ_EVACUATION_RUNNING",
      `an evacuation of ${host} is just beginning, or its daemon is ending`,
      { retryable: true, guestState: "untouched", hint: "sojourn evacuation ls" },
    );
  }

  #runContext(): RunContext {
    const { guestsHere } = this.#options;
    return {
      ...this.#options,
      isHere: (name) => guestsHere().some(({ guest }) => guest === name),
      newcomers: (evacuation) => {
        const known = new Set(evacuation.guests.map(({ guest }) => guest));
        return guestsHere()
          .filter(({ guest }) => !known.has(guest))
          .map(entryOf);
      },
    };
  }

  #stored(id: string): StoredEvacuation {
    const running = this.#run?.evacuation;
    const found = running?.id === id ? running : this.#known.find((one) => one.id === id);
    if (found === undefined) throw unknownEvacuation(this.#options.host, id, []);
    return found;
  }

  #told(id: string): Evacuation {
    return evacuationOf(this.#stored(id), (migration) =>
      progressOf(this.#options.eventsOf(migration)),
    );
  }
}

/** Why the host is in maintenance, for people. */
function reasonOf(id: string): string {
  return `evacuation ${id}`;
}

function smallestNeed(guests: readonly RunningGuest[]): string {
  const [smallest] = guests.toSorted((one, other) => one.memoryMib - other.memoryMib);
  return `no destination has room for any guest: ${smallest?.guest}, the smallest, has ${smallest?.memoryMib} MiB`;
}

function countOf([state, all]: [string, unknown[] | undefined]): [string, number] {
  return [state, all?.length ?? 0];
}
