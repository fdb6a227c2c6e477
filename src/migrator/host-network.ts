import { asSojournError } from "../platform/errors.ts";
import { AsyncLock } from "../platform/lock.ts";
import type { Logger } from "../platform/log.ts";
import type { PlanLine } from "../platform/plan-line.ts";
import type { RoutingPlane } from "../routing/desired.ts";
import type { KernelWatch } from "../routing/watch/kernel-watch.ts";
import type { TunnelInterface, TunnelSpec, Tunnels } from "../tunnels/tunnel.ts";
import { desiredNetwork } from "./desired-network.ts";
import { HostTunnels } from "./host-tunnels.ts";
import type { HostFacts } from "./network.ts";
import { Postponements } from "./postponements.ts";
import type { RecordStore } from "./record-store.ts";
import type { GuestRecord } from "./records.ts";

/** Keeps this host's tunnels and routing as its guest records ask. */
export class HostNetwork {
  readonly #host: HostFacts;
  readonly #tunnels: HostTunnels;
  readonly #routing: RoutingPlane;
  readonly #records: RecordStore;
  readonly #logger: Logger;
  readonly #lock = new AsyncLock();
  readonly #postponements = new Postponements();

  constructor(
    host: HostFacts,
    tunnels: Tunnels,
    routing: RoutingPlane,
    records: RecordStore,
    logger: Logger,
  ) {
    this.#host = host;
    this.#routing = routing;
    this.#records = records;
    this.#logger = logger;
    this.#tunnels = new HostTunnels({
      ...{ tunnels, records, logger },
      inTurn: (change) => this.#lock.run(change),
      isGuestExpected: () => this.isGuestExpected,
    });
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
    let failure = await this.#tunnels.ensureAll();
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
    return this.#tunnels.interfaceOf(spec);
  }

  /** The same for one that may not have been made yet: null then. */
  knownInterface(spec: TunnelSpec): TunnelInterface | null {
    return this.#tunnels.knownInterface(spec);
  }

  /** A tunnel as it is, or would be. Changes nothing. */
  describeTunnel(spec: TunnelSpec): Promise<TunnelInterface> {
    return this.#tunnels.describe(spec);
  }

  /** What storing `record` would do to this host, as lines a person can read. Changes nothing. */
  async plan(record: GuestRecord): Promise<PlanLine[]> {
    const records = [
      ...this.#records.all().filter((known) => known.guest !== record.guest),
      record,
    ];
    const { lines, interfaceOf } = await this.#tunnels.plan(records);
    const desired = desiredNetwork(this.#host, records, interfaceOf);
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
    const before = this.#tunnels.keys();
    try {
      await this.#tunnels.ensure();
      await this.#applyRouting();
    } catch (error) {
      try {
        restore();
      } finally {
        await this.#tunnels.keep(before);
      }
      throw error;
    }
    await this.#tunnels.keep();
    await this.#warm();
  }

  async #differences(): Promise<string[]> {
    const lines = await this.#tunnels.differences();
    lines.push(...(await this.#routing.plan(this.#desired())));
    const unwanted = (await this.#tunnels.unwanted()).map((name) => `ip link del dev ${name}`);
    return [...lines.map(({ command }) => command), ...unwanted];
  }

  /** The devices that carry the tunnels; what cannot be reached now has none. */
  async #tunnelDevices(): Promise<string[]> {
    const devices = new Set<string>();
    for (const { spec } of this.#tunnels.needed()) {
      const route = await this.#routing.routeTo(spec.remoteAddress).catch(() => null);
      if (route !== null) devices.add(route.device);
    }
    return [...devices];
  }

  #desired() {
    return desiredNetwork(this.#host, this.#records.all(), (spec) => this.tunnelInterface(spec));
  }

  async #applyRouting(): Promise<void> {
    const changes = await this.#routing.apply(this.#desired());
    this.#logger.debug(changes, "network applied");
  }

  #warm(): Promise<void> {
    return this.#routing.warm(this.#tunnels.needed().map((tunnel) => tunnel.interfaceName));
  }
}
