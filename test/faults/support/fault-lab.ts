import { expect, vi } from "vitest";
import { TestLab } from "../../support/lab.ts";
import { newSharedLab, standingSharedLab } from "../../support/shared-lab.ts";
import { daemonResources, mostVarying } from "./daemon-resources.ts";
import { EchoSession } from "./echo-session.ts";
import { FaultHosts, guest, hosts } from "./fault-hosts.ts";
import { FollowedMigration } from "./followed-migration.ts";
import { FreezeWatch } from "./freeze-watch.ts";
import { kernelStates } from "./kernel-states.ts";
import { type KnownStates, readKnownStates, writeKnownStates } from "./known-states.ts";

export { guest, hosts } from "./fault-hosts.ts";
export const guestAddress = "10.1.0.10";

/** Longest time that a daemon lets a guest stand before the promise (config-schema.ts), and what may be added to it. */
const frozenDeadlineMs = 2_000;
const freezeAllowanceMs = 1_000;

/** A destination whose source has forgotten it gives up after this long (arrivals.ts). */
export const leaseMs = 30_000;

/** What became of one test. */
export interface EndedCase {
  injected: number;
  longestFreezeMs: number | null;
  limitMs: number;
}

/** A two-host lab, what it was like before the first fault, and a session of the client that must survive. */
export class FaultLab extends FaultHosts implements AsyncDisposable {
  #known: KnownStates = { kernel: {}, away: null, held: {} };
  readonly #session = new EchoSession(this.lab.name, guestAddress);
  #freezes: FreezeWatch | null = null;
  #sinceMs = 0;
  #limitMs: number | null = frozenDeadlineMs + freezeAllowanceMs;

  /** A lab of its own; `options` are those of `sojourn lab up`. */
  static async up(name: string, options: readonly string[] = []): Promise<FaultLab> {
    const fault = new FaultLab(await TestLab.up(name, ["--hosts", "2", ...options]));
    await fault.remember();
    fault.#watchFreezes();
    return fault;
  }

  /** The lab that files share, in order, with a session open; one that is in disorder is built anew. */
  static async shared(): Promise<FaultLab> {
    const standing = await standingSharedLab();
    let fault = standing === null ? null : new FaultLab(standing);
    if (fault === null || !(await fault.#isAsKnown())) {
      fault = new FaultLab(await newSharedLab());
      await fault.remember();
      await fault.rememberAway();
      writeKnownStates(fault.lab.name, fault.#known);
    }
    fault.#watchFreezes();
    await fault.openSession();
    return fault;
  }

  /** The kernel state that every fault must come back to. */
  async remember(): Promise<void> {
    const held = hosts.map((host) => [host, this.#resources(host).descriptors] as const);
    this.#known = { ...this.#known, held: Object.fromEntries(held) };
    await this.rememberKernel();
  }

  /** Without what the daemons hold. */
  async rememberKernel(): Promise<void> {
    this.#known = { ...this.#known, kernel: await kernelStates(this, hosts) };
  }

  /** Takes the kernel state of a guest that is away from a move that nothing disturbs. */
  async rememberAway(): Promise<void> {
    expect((await this.migrate("host-a", "host-b").ended).exitCode).toBe(0);
    this.#known = { ...this.#known, away: await kernelStates(this, hosts) };
    expect((await this.migrate("host-b", "host-a").ended).exitCode).toBe(0);
  }

  beginCase(): void {
    this.injected = 0;
    this.#limitMs = frozenDeadlineMs + freezeAllowanceMs;
    this.#sinceMs = Date.now();
  }

  endCase(): EndedCase {
    const longest = this.#limitMs === null ? null : this.#freezes?.longestMs(this.#sinceMs);
    return {
      injected: this.injected,
      longestFreezeMs: longest ?? null,
      limitMs: this.#limitMs ?? 0,
    };
  }

  /** The longest time since `sinceMs` (ms since 1970) in which the guest did not run. */
  frozenMs(sinceMs: number): number {
    return this.#freezes?.longestMs(sinceMs) ?? 0;
  }

  /** Sets what this test's guest may be frozen for; null where it is meant to stop or to restart. */
  allowFreeze(limitMs: number | null): void {
    this.#limitMs = limitMs;
  }

  /** Opens an echo session from the client that runs until the next; `patienceMs` for a guest that is booting. */
  async openSession(patienceMs = 0): Promise<void> {
    await this.#session.open(patienceMs);
  }

  /** The session of `openSession` is whole and still answers. */
  async expectSessionAlive(withinMs = 30_000): Promise<void> {
    await this.#session.expectAlive(withinMs);
  }

  /** The session of `openSession` is over, as after a restart of the guest. */
  async expectSessionBroken(): Promise<void> {
    await this.#session.expectBroken();
  }

  /** Starts `sojourn migrate` and follows it. */
  migrate(from: string, to: string, options: readonly string[] = []): FollowedMigration {
    const command = ["sojourn", "migrate", guest, "--to", to, "--json", "--no-probe", ...options];
    return new FollowedMigration(this.spawn(from, command));
  }

  /** Begins a migration without the plan that would find most faults beforehand, and follows it. */
  async migrateUnplanned(from: string, to: string, options: readonly string[] = []) {
    const started = await this.run(from, [
      ...["sojourn", "migrate", guest, "--to", to, "--json", "--no-probe", "--detach"],
      ...options,
    ]);
    const { id } = JSON.parse(started) as { id: string };
    return this.watch(from, id);
  }

  /** Follows a migration that is under way. */
  watch(host: string, id: string): FollowedMigration {
    return new FollowedMigration(this.spawn(host, ["sojourn", "watch", id, "--json"]));
  }

  /** One copy of the guest exists, it runs at home, and nothing else is left of a migration on any host. */
  async expectHomeAndClean(): Promise<void> {
    expect(await this.placeAt("host-a")).toEqual({ state: "running", host: "host-a" });
    expect(await this.placeAt("host-b")).toBeNull();
    await this.expectOnlyCopyAt("host-a");
    await this.expectKernelAsBefore();
    await this.expectDaemonsAsBefore();
    await this.expectSessionAlive();
  }

  /**
   * Each daemon holds the descriptors that it held before any fault, and no child but guests and those that listen to
   * the kernel; soon, as callers hang up.
   */
  async expectDaemonsAsBefore(): Promise<void> {
    for (const host of hosts) {
      const held = () => {
        const { descriptors, children } = this.#resources(host);
        return { host, descriptors, children };
      };
      const before = { host, descriptors: this.#known.held[host], children: [] };
      await vi.waitFor(() => expect(held()).toEqual(before), { timeout: 10_000, interval: 100 });
      for (const [kind, count] of Object.entries(this.#resources(host).varying)) {
        expect(count, `${host}: ${kind}`).toBeLessThanOrEqual(mostVarying[kind] ?? 0);
      }
    }
  }

  /** Soon: a destination that is told of an end lets go of the guest before the network that it had made for it. */
  async expectKernelAsBefore(): Promise<void> {
    const check = async () => expect(await kernelStates(this, hosts)).toEqual(this.#known.kernel);
    await vi.waitFor(check, { timeout: 5_000, interval: 100 });
  }

  /** One copy of the guest exists, it runs at host-b, both hosts say so and lead its traffic there. */
  async expectAway(): Promise<void> {
    expect(await this.placeAt("host-a")).toEqual({ state: "away", host: "host-b" });
    expect(await this.placeAt("host-b")).toEqual({ state: "running", host: "host-b" });
    await this.expectOnlyCopyAt("host-b");
    const { away } = this.#known;
    if (away !== null) expect(await kernelStates(this, hosts)).toEqual(away);
    await this.expectSessionAlive();
  }

  /** Milliseconds until a host's kernel is again as when nothing disturbed the guest's move away. */
  async repairMs(host: (typeof hosts)[number]): Promise<number> {
    const startedMs = performance.now();
    const wanted = this.#known.away?.[host];
    const state = async () => (await kernelStates(this, [host]))[host];
    await expect.poll(state, { timeout: 15_000, interval: 20 }).toEqual(wanted);
    return performance.now() - startedMs;
  }

  /** One QEMU process and one record of a process are there; no migration is under way on either host. */
  async expectOnlyCopyAt(host: string): Promise<void> {
    expect(this.qemuProcesses().map(({ node }) => node)).toEqual([host]);
    for (const each of hosts) {
      expect(await this.instanceRecords(each)).toHaveLength(each === host ? 1 : 0);
      expect(await this.unfinished(each)).toEqual([]);
    }
  }

  /** Waits until the source, which asks by itself, has heard what became of a migration in doubt. */
  async answeredAgain(id: string): Promise<void> {
    await expect
      .poll(() => this.stateAt("host-a", id), { timeout: 90_000, interval: 500 })
      .toMatch(/^(completed|rolled-back)$/);
  }

  /** The guest is where the destination's journal says, once; then it is brought home. Returns where that was. */
  async expectSettled(id: string): Promise<"home" | "away"> {
    await Promise.all(hosts.map((host) => this.recovered(host)));
    const decided = await this.journaled("host-b", id);
    const takenOver = decided.includes("takeover");
    expect(takenOver && decided.includes("abort")).toBe(false);
    if (!takenOver) {
      const atDestination = () => this.placeAt("host-b");
      await expect.poll(atDestination, { timeout: leaseMs + 15_000, interval: 500 }).toBeNull();
      await this.expectHomeAndClean();
      return "home";
    }
    expect(await this.journaled("host-a", id)).toContain("promise");
    await this.expectAway();
    await this.returnHome();
    return "away";
  }

  /** After a failed test: what can be done so that the next one finds the guest at home. */
  async mend(): Promise<void> {
    for (const host of hosts) await this.restart(host);
    await Promise.all(hosts.map((host) => this.recovered(host)));
    if ((await this.placeAt("host-a"))?.state === "away") {
      await this.migrate("host-b", "host-a").ended;
    }
    if ((await this.placeAt("host-a"))?.state !== "running") {
      await this.run("host-a", ["sojourn", "guest", "start", guest]);
    }
    await this.openSession(60_000);
  }

  /** Brings the guest home, which must work after every fault, and leave no trace. */
  async returnHome(): Promise<void> {
    const { exitCode, last } = await this.migrate("host-b", "host-a").ended;
    expect(last, JSON.stringify(last)).toMatchObject({ type: "report", outcome: "completed" });
    expect(exitCode).toBe(0);
    await this.expectHomeAndClean();
  }

  /** Waits until a restarted daemon has finished what an earlier one left. */
  async recovered(host: string): Promise<void> {
    await expect.poll(() => this.unfinished(host), { timeout: 60_000, interval: 200 }).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#freezes?.[Symbol.asyncDispose]();
    await this.#session[Symbol.asyncDispose]();
    if (this.lab.isShared) await this.removePolicies();
    await this.lab[Symbol.asyncDispose]();
  }

  /** What stands is what an earlier file of this run remembered. */
  async #isAsKnown(): Promise<boolean> {
    const known = readKnownStates(this.lab.name);
    if (known === null) return false;
    this.#known = known;
    try {
      await this.expectKernelAsBefore();
      await this.expectDaemonsAsBefore();
      await this.expectOnlyCopyAt("host-a");
      return true;
    } catch {
      return false;
    }
  }

  #watchFreezes(): void {
    this.#freezes = new FreezeWatch(this.lab.name, hosts, guestAddress);
  }

  #resources(host: string) {
    return daemonResources(this.daemonOn(host));
  }
}

/** An error of a migration that was taken back: told with its phase if one is meant, a hint and the guest's place. */
export function rolledBackIn(phase: string | null, code: string) {
  return {
    exitCode: 4,
    last: {
      type: "error",
      code,
      message: phase === null ? expect.any(String) : expect.stringContaining(`phase ${phase}: `),
      hint: expect.any(String),
      guest_state: "running-at-source",
    },
  };
}
