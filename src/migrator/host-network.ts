import { startTimer } from "../platform/clock.ts";
import { asSojournError, hasCode } from "../platform/errors.ts";
import { AsyncLock } from "../platform/lock.ts";
import type { Logger } from "../platform/log.ts";
import type { PlanLine } from "../platform/plan-line.ts";
import type { RoutingPlane } from "../routing/desired.ts";
import type { KernelWatch } from "../routing/watch/kernel-watch.ts";
import type { TunnelInterface, TunnelSpec, Tunnels } from "../tunnels/tunnel.ts";
import { desiredNetwork } from "./desired-network.ts";
import { type HostFacts, requiredTunnels, tunnelKey } from "./network.ts";
import { Postponements } from "./postponements.ts";
import type { RecordStore } from "./record-store.ts";
import type { GuestRecord } from "./records.ts";

/** How long after a tunnel could not be removed it is tried again. */
const removeAgainMs = 10_000;

/** Keeps this host's tunnels and routing as its guest records ask. */
export class HostNetwork {
  readonly #host: HostFacts;
  readonly #tunnels: Tunnels;
  readonly #routing: RoutingPlane;
  readonly #records: RecordStore;
  readonly #logger: Logger;
  readonly #lock = new AsyncLock();
  readonly #postponements = new Postponements();
  /** There, whole, and needed. */
  #interfaces = new Map<string, TunnelInterface>();
  /** Perhaps there, or a part of them, and not to be relied on: once nobody needs them until they are removed. */
  readonly #leftovers = new Map<string, TunnelSpec>();
  #isRemovalDue = false;

  constructor(
    host: HostFacts,
    tunnels: Tunnels,
    routing: RoutingPlane,
    records: RecordStore,
    logger: Logger,
  ) {
    this.#host = host;
    this.#tunnels = tunnels;
    this.#routing = routing;
    this.#records = records;
    this.#logger = logger;
  }

  get routing(): RoutingPlane {
    return this.#routing;
  }

  /** Stores the record and makes the kernel follow; on failure both are as before, and the error is thrown. */
  async change(record: GuestRecord): Promise<void> {
    using _held = await this.#lock.acquire();
    await this.changeWhileHeld(record);
  }

  /** The same for a caller that holds `hold()`. */
  async changeWhileHeld(record: GuestRecord): Promise<void> {
    const before = this.#records.get(record.guest);
    this.#records.put(record);
    await this.#applyOr(() => {
      if (before === undefined) this.#records.remove(record.guest);
      else this.#records.put(before);
    });
  }

  /**
   * The same on the way back from a migration, where the kernel must follow also when nothing can be stored: what
   * is stored makes a restarted daemon go the same way again. For a caller that holds `hold()`.
   */
  async restoreWhileHeld(record: GuestRecord): Promise<void> {
    const before = this.#records.get(record.guest);
    this.#putOrRemember(record);
    await this.#applyOr(() => {
      if (before !== undefined) this.#putOrRemember(before);
    });
  }

  /**
   * Forgets the guest and removes what belonged to it.
   * @param isMeant asked once the network is ours, with the record of then: it may be another's by now.
   */
  async forget(
    guest: string,
    isMeant: (current: GuestRecord | undefined) => boolean = () => true,
  ): Promise<void> {
    using _held = await this.#lock.acquire();
    if (isMeant(this.#records.get(guest))) await this.forgetWhileHeld(guest);
  }

  /** The same for a caller that holds `hold()`. */
  async forgetWhileHeld(guest: string): Promise<void> {
    this.#records.remove(guest);
    await this.#applyOr(() => {});
  }

  /** Makes the kernel as the records say: at start, when nothing is known of it. */
  async reconcile(): Promise<void> {
    using _held = await this.#lock.acquire();
    await this.reconcileWhileHeld();
  }

  /**
   * The same for a caller that holds `hold()`. Looks at every tunnel anew; nothing is taken back on failure, since what
   * could be made as it should be stays so.
   */
  async reconcileWhileHeld(): Promise<void> {
    let failure: unknown = null;
    const interfaces = new Map<string, TunnelInterface>();
    for (const spec of requiredTunnels(this.#records.all())) {
      const key = tunnelKey(spec);
      try {
        interfaces.set(key, await this.#tunnels.ensure(spec));
      } catch (error) {
        const known = this.#interfaces.get(key);
        if (known === undefined) throw error;
        // The other guests' networks do not wait for this one's tunnel.
        interfaces.set(key, known);
        failure ??= error;
      }
    }
    this.#interfaces = interfaces;
    for (const name of await this.#unwantedTunnels()) await this.#tunnels.removeByName(name);
    try {
      await this.#applyRouting();
    } catch (error) {
      failure ??= error;
    }
    if (failure !== null) throw failure;
    await this.#warm();
  }

  /**
   * Compares the kernel with what the records ask for and, where somebody else has changed it, makes it so again.
   * @param watch is told beforehand what to look out for.
   * @returns what was missing or too many, as lines a person can read; none when nothing was changed.
   * @throws SojournError e.g. when something foreign has the place of something of ours.
   */
  async repair(watch: Pick<KernelWatch, "lookFor">): Promise<string[]> {
    using _held = await this.#lock.acquire();
    watch.lookFor(this.#desired(), await this.#tunnelDevices());
    // What cannot be compared, because something foreign is there or it is just going, keeps nothing from being repaired.
    const lines = await this.#differences().catch((error: unknown) => [
      `not compared: ${asSojournError(error).message}`,
    ]);
    if (lines.length > 0) await this.reconcileWhileHeld();
    return lines;
  }

  /** What `repair` would find, as lines a person can read; changes nothing. @throws SojournError as `repair` does. */
  async differences(): Promise<string[]> {
    using _held = await this.#lock.acquire();
    return await this.#differences();
  }

  /** False while somebody changes the network, and while nobody may. */
  get isAtRest(): boolean {
    return !this.#lock.isBusy && !this.#postponements.areInForce;
  }

  /** A guest is about to arrive, or has just: whatever takes time waits. */
  get isGuestExpected(): boolean {
    return this.#postponements.areInForce;
  }

  /** The network is not at rest until disposed, at most for `mostMs`: a guest is about to arrive, or has just. */
  postponeRepairs(mostMs: number): Disposable {
    return this.#postponements.add(mostMs);
  }

  /** Keeps everybody else from changing the network until disposed: from arming until the guest has landed. */
  hold(): Promise<Disposable> {
    return this.#lock.acquire();
  }

  /** The interface of a tunnel that a stored record needs. */
  tunnelInterface(spec: TunnelSpec): TunnelInterface {
    return lookUp(this.#interfaces, spec);
  }

  /** The same for one that may not have been made yet: null then. */
  knownInterface(spec: TunnelSpec): TunnelInterface | null {
    return this.#interfaces.get(tunnelKey(spec)) ?? null;
  }

  /** A tunnel as it is, or would be. Changes nothing. */
  async describeTunnel(spec: TunnelSpec): Promise<TunnelInterface> {
    return this.knownInterface(spec) ?? (await this.#tunnels.describe(spec));
  }

  /** What storing `record` would do to this host, as lines a person can read. Changes nothing. */
  async plan(record: GuestRecord): Promise<PlanLine[]> {
    const records = [
      ...this.#records.all().filter((known) => known.guest !== record.guest),
      record,
    ];
    const lines: PlanLine[] = [];
    const planned = new Map(this.#interfaces);
    for (const spec of requiredTunnels(records)) {
      if (planned.has(tunnelKey(spec))) continue;
      lines.push(...(await this.#tunnels.plan(spec)));
      planned.set(tunnelKey(spec), await this.#tunnels.describe(spec));
    }
    const desired = desiredNetwork(this.#host, records, (spec) => lookUp(planned, spec));
    return [...lines, ...(await this.#routing.plan(desired))];
  }

  #putOrRemember(record: GuestRecord): void {
    try {
      this.#records.put(record);
    } catch (error) {
      const { guest } = record;
      this.#logger.error({ guest, err: error }, "alarm: the guest's record could not be stored");
      this.#records.putVolatile(record);
    }
  }

  /** Makes the kernel as the records say; where that fails, as they say after `restore`, as far as tunnels go. */
  async #applyOr(restore: () => void): Promise<void> {
    const before = new Set(this.#interfaces.keys());
    try {
      await this.#ensureTunnels();
      await this.#applyRouting();
    } catch (error) {
      try {
        restore();
      } finally {
        await this.#keepTunnels(before);
      }
      throw error;
    }
    await this.#keepTunnels();
    await this.#warm();
  }

  async #differences(): Promise<string[]> {
    const lines: PlanLine[] = [];
    for (const { spec } of this.#needed()) lines.push(...(await this.#tunnels.plan(spec)));
    lines.push(...(await this.#routing.plan(this.#desired())));
    const unwanted = (await this.#unwantedTunnels()).map((name) => `ip link del dev ${name}`);
    return [...lines.map(({ command }) => command), ...unwanted];
  }

  async #unwantedTunnels(): Promise<string[]> {
    const wanted = new Set(this.#needed().map(({ interfaceName: name }) => name));
    return (await this.#tunnels.list()).filter((name) => !wanted.has(name));
  }

  /** The devices that carry the tunnels; what cannot be reached now has none. */
  async #tunnelDevices(): Promise<string[]> {
    const devices = new Set<string>();
    for (const { spec } of this.#needed()) {
      const route = await this.#routing.routeTo(spec.remoteAddress).catch(() => null);
      if (route !== null) devices.add(route.device);
    }
    return [...devices];
  }

  /** Without those that could not be removed yet. */
  #needed(): TunnelInterface[] {
    return requiredTunnels(this.#records.all()).flatMap(
      (spec) => this.#interfaces.get(tunnelKey(spec)) ?? [],
    );
  }

  #desired() {
    return desiredNetwork(this.#host, this.#records.all(), (spec) => this.tunnelInterface(spec));
  }

  async #applyRouting(): Promise<void> {
    const changes = await this.#routing.apply(this.#desired());
    this.#logger.debug(changes, "network applied");
  }

  #warm(): Promise<void> {
    return this.#routing.warm(this.#needed().map((tunnel) => tunnel.interfaceName));
  }

  /** Those that are not known to be there whole are looked at anew, and may be there in part if that fails. */
  async #ensureTunnels(): Promise<void> {
    for (const spec of requiredTunnels(this.#records.all())) {
      const key = tunnelKey(spec);
      if (this.#interfaces.has(key)) continue;
      this.#leftovers.set(key, spec);
      this.#interfaces.set(key, await this.#tunnels.ensure(spec));
      this.#leftovers.delete(key);
    }
  }

  /** Removes those that the records do not need, but `others`. */
  async #keepTunnels(others: ReadonlySet<string> = new Set()): Promise<void> {
    const needed = this.#neededKeys();
    for (const [key, { spec }] of this.#interfaces) {
      if (needed.has(key) || others.has(key)) continue;
      this.#interfaces.delete(key);
      this.#leftovers.set(key, spec);
    }
    if (!this.#isRemovalDue) await this.#removeLeftovers(needed);
  }

  /** One that cannot be removed now is in nobody's way, and is no reason to refuse a change that the kernel has followed. */
  async #removeLeftovers(needed = this.#neededKeys()): Promise<void> {
    for (const [key, spec] of this.#leftovers) {
      // What is needed may carry packets, however it is.
      if (needed.has(key)) continue;
      try {
        await this.#tunnels.remove(spec);
        this.#leftovers.delete(key);
      } catch (error) {
        this.#logger.warn({ tunnel: key, err: error }, "a tunnel that nobody needs is still there");
        // What somebody else has put in its place is not ours to remove.
        if (hasCode(error, "SOJ_TUNNEL_FOREIGN")) this.#leftovers.delete(key);
        else this.#removeLater();
      }
    }
  }

  #neededKeys(): Set<string> {
    return new Set(requiredTunnels(this.#records.all()).map(tunnelKey));
  }

  #removeLater(): void {
    if (this.#isRemovalDue) return;
    this.#isRemovalDue = true;
    const remove = async () => {
      this.#isRemovalDue = false;
      if (this.#postponements.areInForce) this.#removeLater();
      else await this.#removeLeftovers();
    };
    startTimer(() => void this.#lock.run(remove), removeAgainMs, false);
  }
}

function lookUp(interfaces: ReadonlyMap<string, TunnelInterface>, spec: TunnelSpec) {
  const found = interfaces.get(tunnelKey(spec));
  if (found === undefined) throw new Error(`no tunnel ${tunnelKey(spec)}`);
  return found;
}
