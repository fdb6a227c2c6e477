import { randomBytes } from "node:crypto";
import { delay, monotonicMs, wallClockMs } from "../../platform/clock.ts";
import { asSojournError, preconditionError, SojournError } from "../../platform/errors.ts";
import type { PeerCaller } from "../../platform/procedures.ts";
import { type Pace, retry } from "../../platform/retry.ts";
import type { HostContext } from "../host-context.ts";
import { type AwayRecord, addressOf } from "../open-redirect.ts";
import type { Home } from "../records.ts";
import { guestsToHandOver } from "./checks.ts";
import type { HandedGuest, handoverProcedures } from "./procedures.ts";
import {
  type HandoverState,
  type HandoverStore,
  isUnderWay,
  type StoredHandover,
} from "./state.ts";

export interface HandoverContext
  extends Pick<HostContext, "host" | "records" | "network" | "logger"> {
  store: HandoverStore;
  /** @throws SojournError when no such peer is configured. */
  peer(host: string): PeerCaller<typeof handoverProcedures>;
  /** Packets that this host has sent into its tunnels so far. */
  packetsRedirected(): Promise<number>;
}

/** What somebody who does not answer is asked again with: a guest's traffic goes on meanwhile. */
const pace: Pace = { pauseMs: 500, longestPauseMs: 15_000 };

/** What still comes here finds its way for so long at least, and at most. */
const [quietMs, longestSettlingMs] = [1_000, 10_000];

/**
 * Hands all guests' addresses of this anchor over to another one on the same LAN. Each step is durable before the next,
 * and can be asked for again; until the other anchor is asked to answer for the addresses, a failure, or a restart, goes
 * back, from then on forward.
 */
export class Handovers implements Disposable {
  readonly #context: HandoverContext;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;

  constructor(context: HandoverContext) {
    this.#context = context;
  }

  /** The last one; null when there was none. */
  get current(): StoredHandover | null {
    return this.#context.store.current;
  }

  /** Goes on with what an earlier daemon left. */
  resume(): void {
    const { current } = this;
    if (!isUnderWay(current)) return;
    const isDecided = ["activating", "switching", "settling"].includes(current.state);
    if (!isDecided) this.#enter("undoing");
    this.#go();
  }

  /**
   * What would be handed over, and whether it can be: nothing changes.
   * @throws SojournError `SOJ_HANDOVER_BUSY`; as `guestsToHandOver`; what the other anchor says.
   */
  async check(to: string): Promise<AwayRecord[]> {
    const { host, peer, records } = this.#context;
    if (isUnderWay(this.current)) {
      const { id, to: other } = this.current;
      const message = `${host.name} hands its guests' addresses over to ${other} already (${id})`;
      throw preconditionError("SOJ_HANDOVER_BUSY", message, { retryable: true });
    }
    const guests = guestsToHandOver(host, records.all());
    const hosts = [...new Set(guests.map(({ redirect }) => redirect.host))];
    await peer(to).call("handover-check", {
      guests: guests.map((record) => handedGuest("planned", record)),
      hosts,
    });
    return guests;
  }

  /** Begins one; resolves as soon as it is stored. @throws SojournError as `check` */
  async begin(to: string): Promise<StoredHandover> {
    const { host, logger, network, records, store } = this.#context;
    await this.check(to);
    using _held = await network.hold();
    if (isUnderWay(this.current)) return await this.begin(to);
    // What has changed since it was looked at is looked at again.
    const guests = guestsToHandOver(host, records.all());
    const handover: StoredHandover = {
      ...{ id: randomBytes(6).toString("hex"), to, state: "preparing" },
      guests: guests.map((record) => ({
        guest: record.guest,
        address: addressOf(record),
        host: record.redirect.host,
      })),
      ...{ begunMs: wallClockMs(), endedMs: null, error: null },
    };
    store.put(handover);
    const { id } = handover;
    for (const record of guests) {
      const mark = { id, anchor: to, part: "offered" } as const;
      records.put({ ...record, redirect: { ...record.redirect, handover: mark } });
    }
    logger.info({ handover: id, to, guests: guests.length }, "handing guests' addresses over");
    this.#go();
    return handover;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  #go(): void {
    this.#running ??= this.#run()
      .catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#context.logger.error({ err: error }, "alarm: the handover does not go on");
      })
      .finally(() => {
        this.#running = null;
      });
  }

  async #run(): Promise<void> {
    const steps: Partial<Record<HandoverState, () => Promise<HandoverState>>> = {
      preparing: () => this.#prepare(),
      activating: () => this.#activate(),
      switching: () => this.#switch(),
      settling: () => this.#settle(),
      undoing: () => this.#undo(),
    };
    while (isUnderWay(this.current)) {
      const step = steps[this.current.state];
      if (step === undefined) return;
      this.#enter(await step());
      this.#stop.signal.throwIfAborted();
    }
  }

  async #prepare(): Promise<HandoverState> {
    const { peer } = this.#context;
    const { id, to } = this.#demand();
    const { signal } = this.#stop;
    try {
      for (const record of this.#guests()) {
        const request = handedGuest(id, record);
        const { home } = await peer(to).call("handover-receive", request, { signal });
        await this.#offer(record, home);
      }
      return "activating";
    } catch (error) {
      signal.throwIfAborted();
      this.#note(error);
      return "undoing";
    }
  }

  async #offer({ guest, redirect }: AwayRecord, home: Home): Promise<void> {
    const { id } = this.#demand();
    const request = { id, guest, home, tunnel_kind: redirect.tunnel.kind };
    await this.#context
      .peer(redirect.host)
      .call("offer-home", request, { signal: this.#stop.signal });
  }

  /** Its answer may be lost: only one who knows nothing of it lets this go back. */
  async #activate(): Promise<HandoverState> {
    const { id, to } = this.#demand();
    const { signal } = this.#stop;
    try {
      await this.#persist(
        () => {
          const guests = this.#guests().map(({ guest }) => guest);
          const request = { id, guests };
          return this.#context.peer(to).call("handover-activate", request, { signal });
        },
        (error) => isCode(error, "SOJ_HANDOVER_UNKNOWN"),
      );
    } catch (error) {
      signal.throwIfAborted();
      this.#note(error);
      return "undoing";
    }
    return "switching";
  }

  /** This anchor answers nobody any more, and still redirects; the hosts send by the other one. */
  async #switch(): Promise<HandoverState> {
    const { network, peer, records } = this.#context;
    const { id } = this.#demand();
    {
      using _held = await network.hold();
      for (const record of this.#guests()) {
        const mark = { ...handoverIn(record), part: "leaving" } as const;
        await network.changeWhileHeld({
          ...record,
          redirect: { ...record.redirect, handover: mark },
        });
      }
    }
    const take = async ({ guest, epoch, redirect }: AwayRecord) => {
      const request = { id, guest, epoch: epoch + 1 };
      // One that has ended meanwhile is forgotten here too.
      if (records.get(guest) !== undefined) {
        await peer(redirect.host).call("take-home", request, { signal: this.#stop.signal });
      }
    };
    await this.#withAll(take);
    return "settling";
  }

  async #settle(): Promise<HandoverState> {
    const { network, peer, store } = this.#context;
    const { id, to, guests } = this.#demand();
    await this.#untilSilent();
    {
      using _held = await network.hold();
      for (const { guest } of this.#guests()) await network.forgetWhileHeld(guest);
    }
    const { signal } = this.#stop;
    await Promise.all(
      guests.map(({ guest, host }) =>
        this.#persist(() => peer(host).call("release-home", { id, guest }, { signal })),
      ),
    );
    await this.#persist(() => peer(to).call("handover-finish", { id }, { signal }));
    store.put({ ...this.#demand(), error: null });
    this.#context.logger.info({ handover: id, to }, "the other anchor has all guests' addresses");
    return "done";
  }

  async #undo(): Promise<HandoverState> {
    const { network, peer, records } = this.#context;
    const { id, to, guests } = this.#demand();
    const { signal } = this.#stop;
    await this.#persist(() => peer(to).call("handover-drop", { id }, { signal }));
    await Promise.all(
      guests.map(({ guest, host }) =>
        this.#persist(() => peer(host).call("release-home", { id, guest }, { signal })),
      ),
    );
    using _held = await network.hold();
    for (const record of this.#guests()) {
      const { handover: _over, ...redirect } = record.redirect;
      records.put({ ...record, redirect });
    }
    return "undone";
  }

  /** Returns when nothing is redirected here any more, or after a while: from then on the LAN leads to the other anchor. */
  async #untilSilent(): Promise<void> {
    const { packetsRedirected, logger } = this.#context;
    const deadlineMs = monotonicMs() + longestSettlingMs;
    let before = await packetsRedirected();
    for (;;) {
      await delay(quietMs, this.#stop.signal);
      const now = await packetsRedirected();
      if (now === before) return;
      if (monotonicMs() > deadlineMs) {
        const late = { packets_per_second: ((now - before) * 1_000) / quietMs };
        logger.warn(late, "somebody still sends to this anchor what the other one answers for");
        return;
      }
      before = now;
    }
  }

  /** Does it for each guest that is left, none of which waits for another's host. */
  async #withAll(work: (record: AwayRecord) => Promise<void>): Promise<void> {
    await Promise.all(this.#guests().map((record) => this.#persist(() => work(record))));
  }

  async #persist<Result>(
    work: () => Promise<Result>,
    isFinal?: (error: unknown) => boolean,
  ): Promise<Result> {
    return await retry(work, {
      ...{ ...pace, signal: this.#stop.signal },
      ...(isFinal === undefined ? {} : { isFinal }),
      onFailure: (error) => {
        this.#note(error);
        this.#context.logger.warn({ err: error }, "asked again: the handover is not over");
      },
    });
  }

  /** Those that have not ended since. */
  #guests(): AwayRecord[] {
    const { id } = this.#demand();
    return this.#context.records.all().flatMap((record) => {
      const { redirect } = record;
      return redirect?.handover?.id === id ? [{ ...record, redirect }] : [];
    });
  }

  #demand(): StoredHandover {
    if (this.current === null) throw new Error("no handover");
    return this.current;
  }

  #enter(state: HandoverState): void {
    const isOver = state === "done" || state === "undone";
    const endedMs = isOver ? wallClockMs() : null;
    this.#context.store.put({ ...this.#demand(), state, endedMs });
    this.#context.logger.info({ handover: this.#demand().id, state }, "handover");
  }

  #note(error: unknown): void {
    const { code, message } = asSojournError(error);
    const told = { code, message: message.slice(0, 400) };
    this.#context.store.put({ ...this.#demand(), error: told });
  }
}

function handedGuest(id: string, record: AwayRecord): HandedGuest {
  const { guest, definition, epoch, home, redirect } = record;
  return {
    ...{ id, guest, definition, epoch: epoch + 1, gateway_mac: home.gatewayMac },
    host: redirect.host,
    underlay_address: redirect.tunnel.remoteAddress,
    tunnel_kind: redirect.tunnel.kind,
  };
}

function handoverIn({ redirect }: AwayRecord) {
  if (redirect.handover === undefined) throw new Error("not handed over");
  return redirect.handover;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof SojournError && error.code === code;
}
