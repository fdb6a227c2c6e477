import { randomBytes } from "node:crypto";
import { wallClockMs } from "../../platform/clock.ts";
import { preconditionError, usageError } from "../../platform/errors.ts";
import { type AwayRecord, addressOf } from "../open-redirect.ts";
import { guestsToHandOver } from "./checks.ts";
import { type HandoverState, isUnderWay, type StoredHandover } from "./state.ts";
import { type HandoverContext, HandoverSteps, handedGuest } from "./steps.ts";

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
   * @throws SojournError `SOJ_HANDOVER_BUSY`; as `guestsToHandOver`; `SOJ_USAGE` for itself; what the other anchor says.
   */
  async check(to: string): Promise<AwayRecord[]> {
    const { host, peer, records } = this.#context;
    this.#refuseSecond();
    const guests = guestsToHandOver(host, records.all());
    if (to === host.name) {
      throw usageError(
        `${to} has these addresses already`,
        "--to names the other anchor: sojourn host ls",
      );
    }
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
    this.#refuseSecond();
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
    const { signal } = this.#stop;
    const doing = new HandoverSteps(this.#context, signal);
    const steps: Partial<Record<HandoverState, () => Promise<HandoverState>>> = {
      preparing: () => doing.prepare(),
      activating: () => doing.activate(),
      switching: () => doing.switch(),
      settling: () => doing.settle(),
      undoing: () => doing.undo(),
    };
    while (isUnderWay(this.current)) {
      const step = steps[this.current.state];
      if (step === undefined) return;
      this.#enter(await step());
      signal.throwIfAborted();
    }
  }

  #refuseSecond(): void {
    if (!isUnderWay(this.current)) return;
    const { id, to, state } = this.current;
    const message = `handover ${id} to ${to} is not over yet (${state})`;
    throw preconditionError("SOJ_HANDOVER_BUSY", message, {
      retryable: true,
      hint: "sojourn anchor show tells what it waits for",
    });
  }

  #enter(state: HandoverState): void {
    const isOver = state === "done" || state === "undone";
    const endedMs = isOver ? wallClockMs() : null;
    this.#context.store.put({ ...this.#demand(), state, endedMs });
    this.#context.logger.info({ handover: this.#demand().id, state }, "handover");
  }

  #demand(): StoredHandover {
    if (this.current === null) throw new Error("no handover");
    return this.current;
  }
}
