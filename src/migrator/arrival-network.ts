import { startTimer } from "../platform/clock.ts";
import type { Logger } from "../platform/log.ts";
import { persistently } from "../platform/retry.ts";
import { waitAtMost } from "../platform/waiting.ts";
import {
  type BarrierEnd,
  type BarrierReturn,
  mainTable,
  sourceTableBase,
} from "../routing/desired.ts";
import { expectBarrier } from "./barrier-flow.ts";
import type { HostContext } from "./host-context.ts";
import { attachmentOf } from "./network.ts";
import type { GuestRecord } from "./records.ts";
import { type ExpectedInbound, TapQueue } from "./tap-queue.ts";

/** From the source's last question before the stop until the guest has landed, as far as repairs wait for it. */
const longestArrivalMs = 10_000;

/** Sending one frame takes a process; the source waits for the answer to its last question not much longer. */
const longestPrimingMs = 250;

/** How long after a removal was given up it is tried again: until then no other migration of the guest can come here. */
const removeAgainMs = 10_000;

/** What an arriving guest has of this host's network: the barrier's end, its tap's queue, and the landing. */
export class ArrivalNetwork {
  readonly #context: Pick<HostContext, "host" | "network" | "flows">;
  readonly #logger: Logger;
  #barrier: BarrierEnd | null = null;
  #queue: TapQueue | null = null;
  /** The latest: one that was begun for a former process says nothing of this one's tap. */
  #priming = { isDone: false };
  #stillness: Disposable | null = null;
  #landing: (() => Promise<void>) | null = null;
  #settled: Promise<void> = Promise.resolve();

  constructor(context: Pick<HostContext, "host" | "network" | "flows">, logger: Logger) {
    this.#context = context;
    this.#logger = logger;
  }

  /** The end of the readiness barrier that holds the guest's address; the source asks, and a home that is a third host. */
  async openBarrier(
    id: string,
    record: GuestRecord,
    asked: { source: string; home?: string | undefined },
  ): Promise<void> {
    const { host, network, flows } = this.#context;
    const { address, mac, bridge } = attachmentOf(host, record);
    if (this.#barrier !== null) throw new Error("the barrier is open already");
    const isRenumbered = record.hosting?.renumbered !== undefined;
    for (const barrierAddress of [asked.source, asked.home]) {
      if (barrierAddress === undefined) continue;
      const question = { id, barrierAddress, guestAddress: address };
      await expectBarrier(flows, question, isRenumbered);
    }
    this.#barrier = await network.routing.openBarrierResponder({
      ...{ id, guestAddress: address, guestMac: mac, bridge },
      returnRoute: this.#returnRoute(record, asked.source),
    });
  }

  async closeBarrier(): Promise<void> {
    const barrier = this.#barrier;
    this.#barrier = null;
    await barrier?.[Symbol.asyncDispose]();
  }

  /**
   * The guest will be stopped soon: repairs of the network wait until it has landed, and room is made for packets that
   * will wait in the tap. Room that cannot be had is no reason to refuse the guest: what it costs is counted.
   */
  async expect(record: () => GuestRecord, inbound: ExpectedInbound): Promise<void> {
    this.#stillness?.[Symbol.dispose]();
    this.#stillness = this.#context.network.postponeRepairs(longestArrivalMs);
    try {
      const { tap } = attachmentOf(this.#context.host, record());
      this.#queue = new TapQueue(this.#context.network.routing, tap);
      await this.#queue.expect(inbound);
    } catch (error) {
      this.#logger.warn({ err: error }, "the tap's queue is as it was");
    }
    if (!this.#priming.isDone) await this.prime(record());
  }

  /**
   * Whatever is first in the tap of a process that waits for its guest is lost (`primeTap`): a frame that nobody needs is to be
   * that, or the guest may be sent its first packet while it stands. Without it the guest comes all the same; late it does no harm.
   */
  async prime(record: GuestRecord): Promise<void> {
    const priming = { isDone: false };
    this.#priming = priming;
    const { tap, mac } = attachmentOf(this.#context.host, record);
    const primed = this.#context.network.routing.primeTap(tap, mac).then(
      () => {
        priming.isDone = true;
      },
      (error: unknown) =>
        this.#logger.warn({ err: error }, "the guest may lose a packet: its tap is not primed"),
    );
    await waitAtMost(longestPrimingMs, primed);
  }

  /** Packets for the guest that its tap had no room for since then; null when that is not known. */
  async packetsDropped(): Promise<number | null> {
    return (await this.#queue?.dropped().catch(() => null)) ?? null;
  }

  /** Answers to the source go back to it where the guest's own packets would not. */
  #returnRoute(record: GuestRecord, barrierAddress: string): BarrierReturn {
    const { host, network } = this.#context;
    const { atHome } = attachmentOf(host, record);
    const { sourceTunnel, homeTunnel, tableIndex } = record.hosting ?? {};
    if (!sourceTunnel) throw new Error("the barrier needs the tunnel to the source");
    const { interfaceName: device, nextHop: via } = network.tunnelInterface(sourceTunnel);
    if (atHome) return { barrierAddress, device, via, table: mainTable };
    if (homeTunnel?.remoteAddress === sourceTunnel.remoteAddress) return null;
    return { barrierAddress, device, via, table: sourceTableBase + (tableIndex ?? 0) };
  }

  /** What `land` does once it is called. */
  willLand(landing: () => Promise<void>): void {
    this.#landing = landing;
  }

  /** The network follows the guest, once; at the latest when the source asks. */
  land(): void {
    const landing = this.#landing;
    this.#landing = null;
    if (landing !== null) void this.#settle(landing, "the network follows the guest");
  }

  /** Takes back what was prepared: the network is as `before`. */
  remove(restore: () => Promise<void>): void {
    const removal = async () => {
      await this.closeBarrier();
      await restore();
    };
    const again = () => this.remove(restore);
    void this.#settle(removal, "removing what was prepared for the guest").then((done) => {
      if (!done) startTimer(again, removeAgainMs, false);
    });
  }

  /** Resolves when the last landing or removal is over, however it went. */
  get settled(): Promise<void> {
    return this.#settled;
  }

  /** Resolves to whether it was done. */
  #settle(work: () => Promise<void>, what: string): Promise<boolean> {
    const settling = persistently(what, this.#logger, work).finally(() =>
      this.#stillness?.[Symbol.dispose](),
    );
    this.#settled = settling.then(() => {});
    return settling;
  }
}
