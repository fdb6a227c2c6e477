import { expect, vi } from "vitest";
import { TestLab } from "../../support/lab.ts";
import { EchoSession } from "./echo-session.ts";
import { FaultHosts, guest } from "./fault-hosts.ts";
import { guestAddress } from "./fault-lab.ts";
import { FollowedMigration } from "./followed-migration.ts";
import { FreezeWatch } from "./freeze-watch.ts";
import { type KernelStates, kernelStates } from "./kernel-states.ts";
import { type CodePlace, PausePoint } from "./pause-point.ts";

export const home = "host-a";
export const chainHosts = [home, "host-b", "host-c"] as const;

/** The two hosts between which the guest moves. */
export type Away = "host-b" | "host-c";

/** What home keeps for a move that is over goes at the latest when it has asked the source: two looks (home-follow-ups.ts). */
const settledWithinMs = 20_000;

/** A promise that nobody keeps ends with the lease or the deadline of the two others. */
const recoveredWithinMs = 60_000;

/** Of a guest whose daemons all run: the deadline before the promise, and what a busy machine adds. */
const freezeMs = 3_000;

/** A lab of three hosts whose guest, away from its home, moves between the two others, and a session that must survive. */
export class ChainLab extends FaultHosts implements AsyncDisposable {
  /** Every host's kernel with the guest at either host, after moves that nothing disturbed. */
  readonly #known = new Map<Away, KernelStates>();
  readonly #session = new EchoSession(this.lab.name, guestAddress);
  readonly #freezes = new FreezeWatch(this.lab.name, chainHosts, guestAddress);
  #atHome: KernelStates = {};
  #sinceMs = 0;
  #limitMs = freezeMs;

  /** With the guest at host-b, after a move to host-c and back. */
  static async up(name: string): Promise<ChainLab> {
    const chain = new ChainLab(await TestLab.up(name, ["--hosts", "3"]));
    try {
      chain.#atHome = await kernelStates(chain, chainHosts);
      await chain.#session.open(0);
      const steps = [
        [home, "host-c"],
        ["host-c", "host-b"],
      ] as const;
      for (const [from, to] of steps) {
        expect((await chain.move(from, to).ended).last).toMatchObject({ outcome: "completed" });
        chain.#known.set(to, await kernelStates(chain, chainHosts));
      }
    } catch (error) {
      await chain[Symbol.asyncDispose]();
      throw error;
    }
    return chain;
  }

  beginCase(): void {
    this.injected = 0;
    this.#limitMs = freezeMs;
    this.#sinceMs = Date.now();
  }

  endCase() {
    const longestFreezeMs = this.#freezes.longestMs(this.#sinceMs);
    return { injected: this.injected, longestFreezeMs, limitMs: this.#limitMs };
  }

  /** Sets for how long this test's guest may be frozen, or out of its hosts' reach. */
  allowFreeze(limitMs: number): void {
    this.#limitMs = limitMs;
  }

  /** Starts `sojourn migrate` at a host and follows it. */
  move(from: string, to: string, options: readonly string[] = []): FollowedMigration {
    const command = ["sojourn", "migrate", guest, "--to", to, "--json", "--no-probe", ...options];
    return new FollowedMigration(this.spawn(from, command));
  }

  /** Where the guest is, and where it is not. */
  async sides(): Promise<{ from: Away; to: Away }> {
    const from = (await this.placeAt("host-b")) === null ? "host-c" : "host-b";
    return { from, to: from === "host-b" ? "host-c" : "host-b" };
  }

  /**
   * A move to the other host, and kill -9 to `dying` when the daemon of `stands` is at the place. They stay dead.
   */
  async moveAndKill(stands: Party, at: CodePlace, dying: readonly Party[]) {
    const sides = await this.sides();
    const nameOf = (party: Party) => (party === "home" ? home : sides[party]);
    await using point = await PausePoint.set(this, nameOf(stands), at);
    const migration = this.move(sides.from, sides.to);
    const id = await migration.phase("preparing");
    await point.reached;
    for (const party of dying) await this.kill(nameOf(party));
    return { id, migration, ...sides, dead: dying.map(nameOf) };
  }

  /** The session of the client is whole and still answers. */
  async expectSessionAlive(withinMs = 30_000): Promise<void> {
    await this.#session.expectAlive(withinMs);
  }

  /** The guest is where the destination's journal says, once, all three hosts agree, and nothing else is left. */
  async expectSettled(id: string, from: Away, to: Away): Promise<Away> {
    await Promise.all(chainHosts.map((host) => this.#recovered(host)));
    const decided = await this.journaled(to, id);
    const takenOver = decided.includes("takeover");
    expect(takenOver && decided.includes("abort")).toBe(false);
    if (takenOver) expect(await this.journaled(from, id)).toContain("promise");
    const place = takenOver ? to : from;
    await this.expectAt(place);
    return place;
  }

  /** One copy, there; its home knows; every host's kernel is as after a move there that nothing disturbed. */
  async expectAt(place: Away): Promise<void> {
    const other = place === "host-b" ? "host-c" : "host-b";
    const check = async () => {
      expect(await this.placeAt(home)).toEqual({ state: "away", host: place });
      expect(await this.placeAt(place)).toEqual({ state: "running", host: place });
      expect(await this.placeAt(other)).toBeNull();
      expect(this.qemuProcesses().map(({ node }) => node)).toEqual([place]);
      expect(await this.instanceRecords(place)).toHaveLength(1);
      expect(await kernelStates(this, chainHosts)).toEqual(this.#known.get(place));
    };
    await vi.waitFor(check, { timeout: settledWithinMs, interval: 200 });
    for (const host of chainHosts) expect(await this.unfinished(host)).toEqual([]);
    await this.expectSessionAlive();
  }

  /** Brings the guest home, which leaves nothing anywhere. */
  async expectWayHome(): Promise<void> {
    const { from } = await this.sides();
    expect((await this.move(from, home).ended).last).toMatchObject({ outcome: "completed" });
    const check = async () => expect(await kernelStates(this, chainHosts)).toEqual(this.#atHome);
    await vi.waitFor(check, { timeout: 5_000, interval: 100 });
    await this.expectSessionAlive();
  }

  /** After a failed test: all daemons run, and have finished what they can. */
  async mend(): Promise<void> {
    for (const host of chainHosts) await this.restart(host);
    await Promise.all(chainHosts.map((host) => this.#recovered(host)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#freezes[Symbol.asyncDispose]();
    await this.#session[Symbol.asyncDispose]();
    await this.lab[Symbol.asyncDispose]();
  }

  async #recovered(host: string): Promise<void> {
    const options = { timeout: recoveredWithinMs, interval: 200 };
    await expect.poll(() => this.unfinished(host), options).toEqual([]);
  }
}

/** Of a move: the host that the guest leaves, the one that it enters, and its home. */
export type Party = "from" | "to" | "home";
