import { AsyncLock } from "../platform/lock.ts";
import type { Logger } from "../platform/log.ts";
import type { PlanLine, RoutingPlane } from "../routing/desired.ts";
import type { TunnelInterface, TunnelSpec, Tunnels } from "../tunnels/tunnel.ts";
import { desiredNetwork, type HostFacts, requiredTunnels, tunnelKey } from "./network.ts";
import type { RecordStore } from "./record-store.ts";
import type { GuestRecord } from "./records.ts";

/** Keeps this host's tunnels and routing as its guest records ask. */
export class HostNetwork {
  readonly #host: HostFacts;
  readonly #tunnels: Tunnels;
  readonly #routing: RoutingPlane;
  readonly #records: RecordStore;
  readonly #logger: Logger;
  readonly #lock = new AsyncLock();
  #interfaces = new Map<string, TunnelInterface>();

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
    try {
      await this.#apply();
    } catch (error) {
      if (before === undefined) this.#records.remove(record.guest);
      else this.#records.put(before);
      throw error;
    }
  }

  /**
   * The same on the way back from a migration, where the kernel must follow also when nothing can be stored: what
   * is stored makes a restarted daemon go the same way again. For a caller that holds `hold()`.
   */
  async restoreWhileHeld(record: GuestRecord): Promise<void> {
    const before = this.#records.get(record.guest);
    this.#putOrRemember(record);
    try {
      await this.#apply();
    } catch (error) {
      if (before !== undefined) this.#putOrRemember(before);
      throw error;
    }
  }

  /** Forgets the guest and removes what belonged to it. */
  async forget(guest: string): Promise<void> {
    using _held = await this.#lock.acquire();
    this.#records.remove(guest);
    await this.#apply();
  }

  /** Makes the kernel as the records say: at start, and after somebody else's change. */
  async reconcile(): Promise<void> {
    using _held = await this.#lock.acquire();
    await this.reconcileWhileHeld();
  }

  /** The same for a caller that holds `hold()`. */
  async reconcileWhileHeld(): Promise<void> {
    const wanted = new Set(
      (await this.#ensureTunnels(this.#records.all())).map((tunnel) => tunnel.interfaceName),
    );
    for (const name of await this.#tunnels.list()) {
      if (!wanted.has(name)) await this.#tunnels.removeByName(name);
    }
    await this.#apply();
  }

  /** Keeps everybody else from changing the network until disposed: from arming until the guest has landed. */
  hold(): Promise<Disposable> {
    return this.#lock.acquire();
  }

  /** The interface of a tunnel that a stored record needs. */
  tunnelInterface(spec: TunnelSpec): TunnelInterface {
    const found = this.#interfaces.get(tunnelKey(spec));
    if (found === undefined) throw new Error(`no tunnel ${tunnelKey(spec)}`);
    return found;
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

  async #apply(): Promise<void> {
    const records = this.#records.all();
    const before = this.#interfaces;
    const interfaces = await this.#ensureTunnels(records);
    this.#interfaces = new Map(interfaces.map((tunnel) => [tunnelKey(tunnel.spec), tunnel]));
    const desired = desiredNetwork(this.#host, records, (spec) => this.tunnelInterface(spec));
    try {
      const changes = await this.#routing.apply(desired);
      this.#logger.debug(changes, "network applied");
    } catch (error) {
      for (const [key, tunnel] of this.#interfaces) {
        if (!before.has(key)) await this.#tunnels.remove(tunnel.spec);
      }
      this.#interfaces = before;
      throw error;
    }
    for (const [key, tunnel] of before) {
      if (!this.#interfaces.has(key)) await this.#tunnels.remove(tunnel.spec);
    }
    await this.#routing.warm(interfaces.map((tunnel) => tunnel.interfaceName));
  }

  async #ensureTunnels(records: readonly GuestRecord[]): Promise<TunnelInterface[]> {
    const needed: TunnelInterface[] = [];
    const made: TunnelSpec[] = [];
    try {
      for (const spec of requiredTunnels(records)) {
        const known = this.#interfaces.get(tunnelKey(spec));
        needed.push(known ?? (await this.#tunnels.ensure(spec)));
        if (known === undefined) made.push(spec);
      }
    } catch (error) {
      for (const spec of made) await this.#tunnels.remove(spec);
      throw error;
    }
    return needed;
  }
}

function lookUp(interfaces: ReadonlyMap<string, TunnelInterface>, spec: TunnelSpec) {
  const found = interfaces.get(tunnelKey(spec));
  if (found === undefined) throw new Error(`no tunnel ${tunnelKey(spec)}`);
  return found;
}
