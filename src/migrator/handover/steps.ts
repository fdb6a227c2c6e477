import { delay, monotonicMs } from "../../platform/clock.ts";
import { asSojournError, hasCode } from "../../platform/errors.ts";
import type { PeerCaller } from "../../platform/procedures.ts";
import { type Pace, retry } from "../../platform/retry.ts";
import type { HostContext } from "../host-context.ts";
import type { AwayRecord } from "../open-redirect.ts";
import type { Home } from "../records.ts";
import type { HandedGuest, handoverProcedures } from "./procedures.ts";
import type { HandoverState, HandoverStore, StoredHandover } from "./state.ts";

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

/** The steps of the handover that is stored; each can be done again, and says which state follows. */
export class HandoverSteps {
  readonly #context: HandoverContext;
  readonly #signal: AbortSignal;

  /** `signal` ends what waits for others. */
  constructor(context: HandoverContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
  }

  async prepare(): Promise<HandoverState> {
    const { peer } = this.#context;
    const { id, to } = this.#demand();
    const signal = this.#signal;
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
    await this.#context.peer(redirect.host).call("offer-home", request, { signal: this.#signal });
  }

  /** Its answer may be lost: only one who knows nothing of it lets this go back. */
  async activate(): Promise<HandoverState> {
    const { id, to } = this.#demand();
    const signal = this.#signal;
    try {
      await this.#persist(
        () => {
          const guests = this.#guests().map(({ guest }) => guest);
          const request = { id, guests };
          return this.#context.peer(to).call("handover-activate", request, { signal });
        },
        (error) => hasCode(error, "SOJ_HANDOVER_UNKNOWN"),
      );
    } catch (error) {
      signal.throwIfAborted();
      this.#note(error);
      return "undoing";
    }
    return "switching";
  }

  /** This anchor answers nobody any more, and still redirects; the hosts send by the other one. */
  async switch(): Promise<HandoverState> {
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
        await peer(redirect.host).call("take-home", request, { signal: this.#signal });
      }
    };
    await this.#withAll(take);
    return "settling";
  }

  async settle(): Promise<HandoverState> {
    const { network, peer, store } = this.#context;
    const { id, to, guests } = this.#demand();
    await this.#untilSilent();
    {
      using _held = await network.hold();
      for (const { guest } of this.#guests()) await network.forgetWhileHeld(guest);
    }
    const signal = this.#signal;
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

  /** All is as before for the guests as soon as their hosts have answered; the other anchor may take longer. */
  async undo(): Promise<HandoverState> {
    const { network, peer, records } = this.#context;
    const { id, to, guests } = this.#demand();
    const signal = this.#signal;
    await Promise.all(
      guests.map(async ({ guest, host }) => {
        await this.#persist(() => peer(host).call("release-home", { id, guest }, { signal }));
        using _held = await network.hold();
        const record = this.#guests().find((one) => one.guest === guest);
        if (record === undefined) return;
        const { handover: _over, ...redirect } = record.redirect;
        records.put({ ...record, redirect });
      }),
    );
    await this.#persist(() => peer(to).call("handover-drop", { id }, { signal }));
    return "undone";
  }

  /** Returns when nothing is redirected here any more, or after a while: from then on the LAN leads to the other anchor. */
  async #untilSilent(): Promise<void> {
    const { packetsRedirected, logger } = this.#context;
    const deadlineMs = monotonicMs() + longestSettlingMs;
    let before = await packetsRedirected();
    for (;;) {
      await delay(quietMs, this.#signal);
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
      ...{ ...pace, signal: this.#signal },
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
    const { current } = this.#context.store;
    if (current === null) throw new Error("no handover");
    return current;
  }

  #note(error: unknown): void {
    const { code, message } = asSojournError(error);
    const told = { code, message: message.slice(0, 400) };
    this.#context.store.put({ ...this.#demand(), error: told });
  }
}

/** What the other anchor is told of a guest. Pure. */
export function handedGuest(id: string, record: AwayRecord): HandedGuest {
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
