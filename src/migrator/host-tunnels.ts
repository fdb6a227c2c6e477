import { startTimer } from "../platform/clock.ts";
import { hasCode } from "../platform/errors.ts";
import type { Logger } from "../platform/log.ts";
import type { PlanLine } from "../platform/plan-line.ts";
import type { TunnelInterface, TunnelSpec, Tunnels } from "../tunnels/tunnel.ts";
import { requiredTunnels, tunnelKey } from "./network.ts";
import type { RecordStore } from "./record-store.ts";
import type { GuestRecord } from "./records.ts";

/** How long after a tunnel could not be removed it is tried again. */
const removeAgainMs = 10_000;

export interface HostTunnelsOptions {
  tunnels: Tunnels;
  records: Pick<RecordStore, "all">;
  logger: Logger;
  /** Runs it when nobody else changes the network. */
  inTurn: (change: () => Promise<void>) => Promise<void>;
  /** What can wait does so while a guest is about to arrive, or has just. */
  isGuestExpected: () => boolean;
}

/** This host's tunnels, as its guest records need them. Whoever has it change some holds the host's network. */
export class HostTunnels {
  readonly #options: HostTunnelsOptions;
  /** There, whole, and needed. */
  #interfaces = new Map<string, TunnelInterface>();
  /** Perhaps there, or a part of them, and not to be relied on: once nobody needs them until they are removed. */
  readonly #leftovers = new Map<string, TunnelSpec>();
  #isRemovalDue = false;

  constructor(options: HostTunnelsOptions) {
    this.#options = options;
  }

  /** The interface of a tunnel that a stored record needs. */
  interfaceOf(spec: TunnelSpec): TunnelInterface {
    return lookUp(this.#interfaces, spec);
  }

  /** The same for one that may not have been made yet: null then. */
  knownInterface(spec: TunnelSpec): TunnelInterface | null {
    return this.#interfaces.get(tunnelKey(spec)) ?? null;
  }

  /** Keys of those that are there, whole. */
  keys(): Set<string> {
    return new Set(this.#interfaces.keys());
  }

  /** Those that are needed, without those that could not be made yet. */
  needed(): TunnelInterface[] {
    return this.#required().flatMap((spec) => this.knownInterface(spec) ?? []);
  }

  /** Names of interfaces of ours that nobody needs. */
  async unwanted(): Promise<string[]> {
    const wanted = new Set(this.needed().map(({ interfaceName: name }) => name));
    return (await this.#options.tunnels.list()).filter((name) => !wanted.has(name));
  }

  /** A tunnel as it is, or would be. Changes nothing. */
  async describe(spec: TunnelSpec): Promise<TunnelInterface> {
    return this.knownInterface(spec) ?? (await this.#options.tunnels.describe(spec));
  }

  /** What would have to be made for these records, and where it would be found then. Changes nothing. */
  async plan(records: readonly GuestRecord[]) {
    const lines: PlanLine[] = [];
    const planned = new Map(this.#interfaces);
    for (const spec of requiredTunnels(records)) {
      if (planned.has(tunnelKey(spec))) continue;
      lines.push(...(await this.#options.tunnels.plan(spec)));
      planned.set(tunnelKey(spec), await this.#options.tunnels.describe(spec));
    }
    return { lines, interfaceOf: (spec: TunnelSpec) => lookUp(planned, spec) };
  }

  /** What somebody else has changed on those that are needed. Changes nothing. */
  async differences(): Promise<PlanLine[]> {
    const lines: PlanLine[] = [];
    for (const { spec } of this.needed()) lines.push(...(await this.#options.tunnels.plan(spec)));
    return lines;
  }

  /** Those that are not known to be there whole are looked at anew, and may be there in part if that fails. */
  async ensure(): Promise<void> {
    for (const spec of this.#required()) {
      const key = tunnelKey(spec);
      if (this.#interfaces.has(key)) continue;
      this.#leftovers.set(key, spec);
      this.#interfaces.set(key, await this.#options.tunnels.ensure(spec));
      this.#leftovers.delete(key);
    }
  }

  /**
   * Looks at every needed tunnel anew, and removes all others of ours.
   * @returns why one that was known before could not be looked at or mended; null when all are whole.
   * @throws SojournError of one that cannot be made, and of those of ours that cannot be listed or removed.
   */
  async ensureAll(): Promise<unknown> {
    let failure: unknown = null;
    const interfaces = new Map<string, TunnelInterface>();
    for (const spec of this.#required()) {
      const key = tunnelKey(spec);
      try {
        interfaces.set(key, await this.#options.tunnels.ensure(spec));
      } catch (error) {
        const known = this.#interfaces.get(key);
        if (known === undefined) throw error;
        // The other guests' networks do not wait for this one's tunnel.
        interfaces.set(key, known);
        failure ??= error;
      }
    }
    this.#interfaces = interfaces;
    for (const name of await this.unwanted()) await this.#options.tunnels.removeByName(name);
    return failure;
  }

  /** Removes those that the records do not need, but `others`. */
  async keep(others: ReadonlySet<string> = new Set()): Promise<void> {
    const needed = this.#requiredKeys();
    for (const [key, { spec }] of this.#interfaces) {
      if (needed.has(key) || others.has(key)) continue;
      this.#interfaces.delete(key);
      this.#leftovers.set(key, spec);
    }
    if (!this.#isRemovalDue) await this.#removeLeftovers(needed);
  }

  /** One that cannot be removed now is in nobody's way, and is no reason to refuse a change that the kernel has followed. */
  async #removeLeftovers(needed = this.#requiredKeys()): Promise<void> {
    const { tunnels, logger } = this.#options;
    for (const [key, spec] of this.#leftovers) {
      // What is needed may carry packets, however it is.
      if (needed.has(key)) continue;
      try {
        await tunnels.remove(spec);
        this.#leftovers.delete(key);
      } catch (error) {
        logger.warn({ tunnel: key, err: error }, "a tunnel that nobody needs is still there");
        // What somebody else has put in its place is not ours to remove.
        if (hasCode(error, "SOJ_TUNNEL_FOREIGN")) this.#leftovers.delete(key);
        else this.#removeLater();
      }
    }
  }

  #removeLater(): void {
    if (this.#isRemovalDue) return;
    this.#isRemovalDue = true;
    const remove = async () => {
      this.#isRemovalDue = false;
      if (this.#options.isGuestExpected()) this.#removeLater();
      else await this.#removeLeftovers();
    };
    startTimer(() => void this.#options.inTurn(remove), removeAgainMs, false);
  }

  #required(): TunnelSpec[] {
    return requiredTunnels(this.#options.records.all());
  }

  #requiredKeys(): Set<string> {
    return new Set(this.#required().map(tunnelKey));
  }
}

function lookUp(interfaces: ReadonlyMap<string, TunnelInterface>, spec: TunnelSpec) {
  const found = interfaces.get(tunnelKey(spec));
  if (found === undefined) throw new Error(`no tunnel ${tunnelKey(spec)}`);
  return found;
}
