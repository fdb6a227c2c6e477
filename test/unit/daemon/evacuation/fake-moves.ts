import type { HostCapacity } from "../../../../src/daemon/evacuation/destinations.ts";
import type { RunningGuest } from "../../../../src/daemon/evacuation/guests.ts";
import type { MigrationRequest } from "../../../../src/daemon/services.ts";
import type { StoredMigration } from "../../../../src/migrator/stored-migration.ts";
import { delay } from "../../../../src/platform/clock.ts";
import { preconditionError, SojournError } from "../../../../src/platform/errors.ts";
import { reportWith } from "../../../support/fake-services.ts";

type Move = StoredMigration & { key: string };

interface Failure {
  how: "refused" | "rolled-back";
  code: `SOJ_${string}`;
  retryable: boolean;
  times: number;
}

/** Guests of host-a and the migrations that take them away, of which it remembers all that a daemon's history would. */
export class FakeMoves {
  here: RunningGuest[] = [];
  readonly started: MigrationRequest[] = [];
  readonly mostAtOnce: Record<string, number> = { all: 0 };
  /** By host: what it has free, in MiB, or why nobody can go there. */
  capacity: Record<string, number | "silent" | "maintenance"> = {};
  readonly #moves = new Map<string, Move>();
  readonly #failures = new Map<string, Failure>();
  readonly #held = new Set<string>();
  #daemon = { isDead: false };

  constructor(guests: readonly string[]) {
    for (const guest of guests) this.add(guest);
  }

  get underWay(): Move[] {
    return [...this.#moves.values()].filter(({ endedMs }) => endedMs === null);
  }

  get completed(): Move[] {
    return [...this.#moves.values()].filter(({ state }) => state === "completed");
  }

  add(guest: string): void {
    const instance = { pid: 0, dirtyRate: async () => 1_000 };
    this.here.push({ guest, memoryMib: 128, home: "host-a", instance });
  }

  remove(guest: string): void {
    this.here = this.here.filter((one) => one.guest !== guest);
  }

  fail(guest: string, how: Failure["how"], code: Failure["code"], retryable: boolean, times = 99) {
    this.#failures.set(guest, { how, code, retryable, times });
  }

  /** Migrations of these guests do not end before `release`. */
  hold(...guests: string[]): void {
    for (const guest of guests) this.#held.add(guest);
  }

  release(): void {
    this.#held.clear();
  }

  /** What a daemon that is just starting has of it. After `crash` nothing that it asks for is done or answered. */
  connect() {
    this.#daemon = { isDead: false };
    const daemon = this.#daemon;
    const alive =
      <Arguments extends unknown[], Result>(work: (...given: Arguments) => Promise<Result>) =>
      async (...given: Arguments): Promise<Result> => {
        if (daemon.isDead) return await new Promise<never>(() => {});
        const result = await work(...given);
        return daemon.isDead ? await new Promise<never>(() => {}) : result;
      };
    return {
      startMigration: alive((request: MigrationRequest, key: string) =>
        this.#start(request, key, daemon),
      ),
      capacityOf: alive((host: string) => this.#capacityOf(host)),
      migrations: {
        byKey: (wanted: string) => this.#byKey(wanted),
        get: (id: string) => this.#get(id),
        cancel: (id: string) => this.#cancel(id),
        settled: alive(async (_id: string) => await delay(2)),
      },
    };
  }

  /** The daemon is killed, and its successor finds those migrations taken back that were under way. */
  crash(): void {
    this.#daemon.isDead = true;
    this.takeBack("SOJ_DAEMON_RESTARTED");
  }

  get isCrashed(): boolean {
    return this.#daemon.isDead;
  }

  takeBack(code: `SOJ_${string}`): void {
    this.release();
    for (const move of this.underWay) this.#end(move, "rolled-back", code, true);
  }

  async #start(
    request: MigrationRequest,
    key: string,
    daemon: { isDead: boolean },
  ): Promise<string> {
    await delay(1);
    if (daemon.isDead) return "";
    if (this.#byKey(key) !== undefined) throw new Error(`${key} is begun a second time`);
    this.started.push(request);
    const { guest, to } = request;
    if (!this.here.some((one) => one.guest === guest)) {
      throw preconditionError("SOJ_GUEST_NOT_RUNNING", `${guest} is gone`);
    }
    const failure = this.#failureOf(guest);
    if (failure?.how === "refused") throw preconditionError(failure.code, `${guest} may not go`);
    const id = `m${this.#moves.size + 1}`;
    const move: Move = {
      ...{ id, key, guest, from: "host-a", to, state: "precopy", startedMs: 1, endedMs: null },
      ...{ report: null, error: null },
    };
    this.#moves.set(id, move);
    this.#count(to);
    void this.#carryOut(move, failure);
    return id;
  }

  #byKey(wanted: string): Move | undefined {
    return [...this.#moves.values()].find(({ key }) => key === wanted);
  }

  #get(id: string): Move {
    const found = this.#moves.get(id);
    if (found === undefined) throw new Error(`no migration ${id}`);
    return found;
  }

  #cancel(id: string): StoredMigration {
    const move = this.#get(id);
    this.#end(move, "cancelled", "SOJ_CANCELLED", false);
    return move;
  }

  async #capacityOf(host: string): Promise<HostCapacity> {
    const told = this.capacity[host] ?? 8_192;
    if (told === "silent") {
      throw new SojournError("SOJ_PEER_UNREACHABLE", `${host} does not answer`);
    }
    const mib = told === "maintenance" ? 8_192 : told;
    return {
      maintenance: told === "maintenance",
      memory_available_bytes: mib * 1024 ** 2,
      ...{ running: [], arriving: [] },
    };
  }

  async #carryOut(move: Move, failure: Failure | undefined): Promise<void> {
    do await delay(3);
    while (this.#held.has(move.guest));
    if (move.endedMs !== null) return;
    if (failure !== undefined) {
      this.#end(move, "rolled-back", failure.code, failure.retryable);
      return;
    }
    this.remove(move.guest);
    const told = reportWith({ blackout_ms: 20 });
    Object.assign(move, { state: "completed", endedMs: 2, report: told });
  }

  #end(move: Move, state: "rolled-back" | "cancelled", code: `SOJ_${string}`, retryable: boolean) {
    const error = new SojournError(code, `${move.guest} was not moved`, { exitCode: 4, retryable });
    Object.assign(move, { state, endedMs: 2, error: error.toRecord() });
  }

  #failureOf(guest: string): Failure | undefined {
    const failure = this.#failures.get(guest);
    if (failure === undefined || failure.times === 0) return undefined;
    failure.times -= 1;
    return failure;
  }

  #count(to: string): void {
    const note = (key: string, count: number) => {
      this.mostAtOnce[key] = Math.max(this.mostAtOnce[key] ?? 0, count);
    };
    note("all", this.underWay.length);
    note(to, this.underWay.filter((move) => move.to === to).length);
  }
}
