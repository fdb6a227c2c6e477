import { monotonicMs } from "../platform/clock.ts";
import type { Logger } from "../platform/log.ts";
import type { RoutingPlane } from "../routing/desired.ts";
import { SharedLink, type SharedStream, shortestLookMs } from "./guest-share-link.ts";

type LinkRouting = Pick<RoutingPlane, "routeTo" | "linkCounters" | "linkSpeed">;

/** A reading of what has left through the device towards an address. */
export interface LinkLook {
  device: string;
  atMs: number;
  sentBytes: number;
}

/** Keeps guests' share of the links that streams leave through. Streams of one device share what they may have. */
export class GuestShares {
  readonly #routing: LinkRouting;
  readonly #logger: Logger;
  /** Bytes per second; 0 where it was not configured. */
  readonly #configuredCapacity: number;
  readonly #links = new Map<string, SharedLink>();

  /** @param capacity of the hosts' links, bytes per second; 0 where it has to be found out. */
  constructor(routing: LinkRouting, capacity: number, logger: Logger) {
    this.#routing = routing;
    this.#configuredCapacity = capacity;
    this.#logger = logger;
  }

  /** What has left through the device that leads to `address`; null where nothing can be counted. Never throws. */
  async look(address: string): Promise<LinkLook | null> {
    try {
      const { device } = await this.#routing.routeTo(address);
      const counters = await this.#routing.linkCounters(device);
      if (counters === null) return null;
      return { device, atMs: monotonicMs(), sentBytes: counters.txBytes };
    } catch (error) {
      this.#logger.debug({ address, err: error }, "the link's traffic cannot be counted");
      return null;
    }
  }

  /**
   * Shares the link with others until the returned object is disposed of; the limit then stays as it is. Never throws: where
   * nothing can be counted, nothing is limited.
   * @param before a look at the link when the stream had not begun.
   */
  async join(stream: SharedStream, before: LinkLook | null): Promise<Disposable> {
    const now = await this.look(stream.toAddress);
    if (now === null) return { [Symbol.dispose]: () => {} };
    const { device } = now;
    const capacity = await this.#capacityOf(device);
    let link = this.#links.get(device);
    if (link === undefined) {
      link = new SharedLink(
        async () => (await this.#routing.linkCounters(device))?.txBytes ?? null,
        this.#logger.child({ device }),
      );
      this.#links.set(device, link);
    }
    return link.add(stream, { capacity, others: ratesBetween(before, now) });
  }

  async #capacityOf(device: string): Promise<number | null> {
    if (this.#configuredCapacity > 0) return this.#configuredCapacity;
    return await this.#routing.linkSpeed(device).catch(() => null);
  }
}

function ratesBetween(before: LinkLook | null, now: LinkLook): number {
  if (before === null || before.device !== now.device) return 0;
  const ms = now.atMs - before.atMs;
  return ms < shortestLookMs ? 0 : (Math.max(0, now.sentBytes - before.sentBytes) * 1000) / ms;
}
