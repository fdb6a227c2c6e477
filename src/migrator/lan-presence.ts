import { delay } from "../platform/clock.ts";
import type { Logger } from "../platform/log.ts";
import type { Announcement, Announcer } from "../routing/announce/announcer.ts";
import { correctionFrame } from "../routing/announce/frames.ts";
import type { RoutingPlane } from "../routing/desired.ts";
import { lanOf } from "./desired-lan.ts";
import { attachmentOf, type HostFacts } from "./network.ts";
import type { RecordStore } from "./record-store.ts";
import type { GuestRecord } from "./records.ts";

export interface LanPresenceOptions {
  host: HostFacts;
  records: RecordStore;
  routing: Pick<RoutingPlane, "linkMac" | "knownNeighbours">;
  announcer: Announcer;
  logger: Logger;
}

/** A guest's entries are put right when it is back, and once more in case that was lost. */
const correctionsAfterMs = [1_200, 2_000];

/**
 * Tells the LANs that this host's guests are at home on where these are: at this host while they are away, at themselves
 * once they are back; and guests that are back, where their neighbours are. Nobody waits for it: until it is known, this
 * host passes on what comes to the wrong address. Disposing falls silent.
 */
export class LanPresence implements Disposable {
  readonly #options: LanPresenceOptions;
  readonly #subscription: Disposable;
  readonly #end = new AbortController();

  constructor(options: LanPresenceOptions) {
    this.#options = options;
    const { host, records, announcer } = options;
    this.#subscription = records.subscribe((before, after) => this.#note(before, after));
    // Whoever an earlier daemon had no time to tell.
    announcer.tell(records.all().flatMap((record) => atItself(host, record)));
    this.#announce();
  }

  [Symbol.dispose](): void {
    this.#end.abort();
    this.#subscription[Symbol.dispose]();
    this.#options.announcer[Symbol.dispose]();
  }

  #note(before: GuestRecord | undefined, after: GuestRecord | undefined): void {
    const { host, announcer } = this.#options;
    if (host.guestNetworks.every(({ port }) => port === undefined)) return;
    if (isAnsweredFor(before) !== isAnsweredFor(after)) this.#announce();
    if (after === undefined || !isInTheWay(before) || isInTheWay(after)) return;
    const here = atItself(host, after);
    announcer.tell(here);
    if (here.length > 0 && before?.redirect) void this.#correct(after);
  }

  #announce(): void {
    const { host, records, announcer } = this.#options;
    announcer.keep(records.all().flatMap((record) => atThisHost(host, record)));
  }

  /** A guest that was away may take the gateway for any of its neighbours: their stand-in there was the gateway's. */
  async #correct(record: GuestRecord): Promise<void> {
    const { host, routing, announcer, logger } = this.#options;
    const { address, mac, bridge } = attachmentOf(host, record);
    try {
      for (const afterMs of correctionsAfterMs) {
        await delay(afterMs, this.#end.signal);
        const source = await routing.linkMac(bridge);
        if (source === null) return;
        const neighbours = await routing.knownNeighbours(bridge);
        const others = neighbours.filter((one) => one.address !== address);
        const frames = others.map((one) =>
          correctionFrame({ ...one, source, to: { address, mac } }),
        );
        await announcer.send(bridge, frames);
      }
    } catch (error) {
      if (this.#end.signal.aborted) return;
      logger.warn({ guest: record.guest, err: error }, "the guest was not told of its neighbours");
    }
  }
}

function isAway(record: GuestRecord | undefined): boolean {
  return (record?.redirect ?? null) !== null;
}

/** Of two anchors one answers for a guest that is away. */
function isAnsweredFor(record: GuestRecord | undefined): boolean {
  const part = record?.redirect?.handover?.part;
  return isAway(record) && part !== "receiving" && part !== "leaving";
}

/** What comes for the guest goes through this host, or elsewhere. */
function isInTheWay(record: GuestRecord | undefined): boolean {
  return isAway(record) || (record?.outgoing ?? null) !== null;
}

/** Of a guest that is away: whoever sends to it sends to this host, also those that know its own MAC address for good. */
function atThisHost(host: HostFacts, record: GuestRecord): Announcement[] {
  if (!isAnsweredFor(record) || record.home.host !== host.name) return [];
  const { address, mac, bridge: device } = attachmentOf(host, record);
  if (lanOf(host, address) === null) return [];
  return [{ device, address, mac: null, port: mac }];
}

/** Of one that runs at its home. */
function atItself(host: HostFacts, record: GuestRecord): Announcement[] {
  const stage = record.hosting?.stage;
  const runsHere = stage === "running" || stage === "landed";
  if (!runsHere || record.home.host !== host.name || isInTheWay(record)) return [];
  const { address, mac, bridge: device } = attachmentOf(host, record);
  if (lanOf(host, address) === null) return [];
  return [{ device, address, mac, port: null }];
}
