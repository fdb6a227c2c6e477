import { isDeepStrictEqual } from "node:util";
import { delay } from "../platform/clock.ts";
import type { PeerCaller } from "../platform/procedures.ts";
import { lessAndLessOften, retry } from "../platform/retry.ts";
import type { anchorProcedures } from "./anchor-procedures.ts";
import type { HostContext } from "./host-context.ts";
import type { GuestRecord } from "./records.ts";

type Context = Pick<HostContext, "records" | "network" | "logger"> & {
  peer: (host: string) => PeerCaller<typeof anchorProcedures>;
};

/** A start takes less in general, and then nothing has to be asked twice. */
const firstPauseMs = 5_000;

/**
 * The guests that hosts have said they start behind this anchor. Each host is asked until it has the guest, or says that
 * it has not: an answer may have been lost, and a host's daemon may have died before it had begun.
 */
export class AttachedGuests implements Disposable {
  readonly #context: Context;
  readonly #stop = new AbortController();
  /** The attachments that are asked about, by guest. */
  readonly #asking = new Map<string, Attached>();
  readonly #subscription: Disposable;

  constructor(context: Context) {
    this.#context = context;
    this.#subscription = context.records.subscribe((_before, after) => {
      if (after !== undefined) this.#begin(after);
    });
  }

  /** Begins with those that an earlier daemon has left. */
  begin(): void {
    for (const record of this.#context.records.all()) this.#begin(record);
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#stop.abort();
  }

  #begin({ guest, epoch, redirect }: GuestRecord): void {
    if (redirect?.attaching !== true) return;
    const attached = { guest, epoch, host: redirect.host };
    // Epochs begin anew with a guest that was forgotten in between.
    if (isDeepStrictEqual(this.#asking.get(guest), attached)) return;
    this.#asking.set(guest, attached);
    this.#ask(attached).catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      this.#context.logger.error({ guest, err: error }, "alarm: not asked any more");
    });
  }

  async #ask(attached: Attached): Promise<void> {
    const { signal } = this.#stop;
    const { guest, host } = attached;
    await delay(firstPauseMs, signal);
    await retry(() => this.#settle(attached), {
      ...lessAndLessOften,
      signal,
      onFailure: (error) =>
        this.#context.logger.info({ guest, host, err: error }, "not known yet to have started"),
    });
    if (this.#asking.get(guest) === attached) this.#asking.delete(guest);
  }

  /** Resolves when nothing is left to ask about. @throws while it is. */
  async #settle(attached: Attached): Promise<void> {
    const { network, peer, logger } = this.#context;
    const { guest, host } = attached;
    if (!this.#isMeant(attached)) return;
    const { place } = await peer(host).call("attached-guest", { guest });
    if (place === "starting") throw new Error(`${host} still starts ${guest}`);
    if (place === "here") return await this.#confirm(attached);
    logger.warn({ guest, host }, "the guest was not started: its address is free again");
    await network.forget(guest, () => this.#isMeant(attached));
  }

  async #confirm(attached: Attached): Promise<void> {
    const { network, records } = this.#context;
    using _held = await network.hold();
    const record = records.get(attached.guest);
    if (!this.#isMeant(attached) || !record?.redirect) return;
    const { attaching: _over, ...redirect } = record.redirect;
    records.put({ ...record, redirect });
  }

  #isMeant({ guest, epoch, host }: Attached): boolean {
    const record = this.#context.records.get(guest);
    const { redirect } = record ?? {};
    return record?.epoch === epoch && redirect?.host === host && redirect.attaching === true;
  }
}

interface Attached {
  guest: string;
  epoch: number;
  host: string;
}
