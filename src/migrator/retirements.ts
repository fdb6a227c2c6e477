import { preconditionError, SojournError } from "../platform/errors.ts";
import type { ProcedureHandlers } from "../platform/procedures.ts";
import { waitAtMost } from "../platform/waiting.ts";
import { cutFlow } from "./cut-flows.ts";
import type { DrainContext } from "./drain-context.ts";
import { sessionsOf } from "./drain-flows.ts";
import type { Drains } from "./drains.ts";
import { refuseHandedOver } from "./handover/errors.ts";
import { type AwayRecord, addressOf, openRedirect } from "./open-redirect.ts";
import type { GuestRecord } from "./records.ts";
import type { retireProcedures } from "./retire-procedures.ts";
import { retireGuestHere } from "./retired-guest.ts";
import { mostCutNamed, type Retirement } from "./retirement-schema.ts";
import { beingMigrated, notRedirected } from "./retiring.ts";

/** How long an answer waits for what was decided to be done. */
const patienceMs = 15_000;

/** Retiring by hand: whom it would cut off, and doing it. At the guest's home, and where the guest is. */
export class Retirements {
  readonly #context: DrainContext;
  readonly #drains: Pick<Drains, "idleMs" | "retiring">;

  constructor(context: DrainContext, drains: Pick<Drains, "idleMs" | "retiring">) {
    this.#context = context;
    this.#drains = drains;
  }

  /**
   * What the end of the guest's redirect means, and with `confirm` brings it about: `state` tells whether it is done. The
   * same again once it is.
   * @throws SojournError `SOJ_NOT_REDIRECTED` for one that is at home, or nowhere; `SOJ_GUEST_BUSY` during a migration,
   *   `SOJ_JOURNAL_DAMAGED`; what its home says, when this is where the guest is.
   */
  async retire(guest: string, confirm: boolean): Promise<Retirement> {
    const { host, peer, records } = this.#context;
    const record = records.get(guest);
    if (record?.hosting && record.home.host !== host.name) {
      if (record.migration !== null) throw beingMigrated(guest, record.migration.id);
      return await peer(record.home.host).call("retire-guest", { guest, confirm });
    }
    return await this.#atHome(guest, confirm);
  }

  handlers(): ProcedureHandlers<typeof retireProcedures> {
    return {
      "retire-redirect": (request, { peer }) => retireGuestHere(this.#context, request, peer),
      "retire-guest": async ({ guest, confirm }, { peer }) => {
        const record = this.#context.records.get(guest);
        const place = record?.redirect?.host ?? record?.departed?.host;
        if (place === undefined || place === peer) return await this.#atHome(guest, confirm);
        const message = `${guest} is not at ${peer}, but at ${place}`;
        throw preconditionError("SOJ_PEER_NOT_CONCERNED", message, { httpStatus: 403 });
      },
    };
  }

  async #atHome(guest: string, confirm: boolean): Promise<Retirement> {
    const { journal, records } = this.#context;
    const record = records.get(guest);
    if (confirm) refuseHandedOver(record);
    const past = pastRetirement(record);
    if (past !== null) return past;
    if (record?.migration || record?.outgoing) throw beingMigrated(guest, record.migration?.id);
    const away = openRedirect(record);
    if (away === null) throw notRedirected(guest);
    journal.refuseHeld(guest);
    const described = await this.#describe(away);
    if (!confirm) return described;
    await this.#drains.retiring.decide(guest, "by-hand");
    await this.#done(guest);
    const done = pastRetirement(records.get(guest));
    if (done === null) return { ...described, state: "retiring" };
    const { cut, cut_count } = described;
    return { ...done, cut, cut_count };
  }

  async #describe(record: AwayRecord): Promise<Retirement> {
    const { guest, home, redirect } = record;
    const { retiring, drain } = redirect;
    return {
      ...{ type: "retirement", guest, host: redirect.host, home: home.host },
      freed: addressOf(record),
      renumbered: drain?.renumbered ?? null,
      reason: retiring ?? "by-hand",
      state: retiring === undefined ? "described" : "retiring",
      ...(await this.#cut(record)),
    };
  }

  /** Null where home tracks no connections: whoever uses the redirect is cut off all the same. */
  async #cut(record: AwayRecord): Promise<Pick<Retirement, "cut" | "cut_count">> {
    const address = addressOf(record);
    const idleMs = this.#drains.idleMs(record.guest);
    try {
      const flows = sessionsOf(await this.#context.flows.read(address));
      const cut = flows
        .slice(0, mostCutNamed)
        .map((flow) => cutFlow(address, flow, idleMs?.get(flow.id) ?? null));
      return { cut, cut_count: flows.length };
    } catch (error) {
      if (!(error instanceof SojournError) || error.code !== "SOJ_FLOWS_UNTRACKED") throw error;
      return { cut: null, cut_count: null };
    }
  }

  /** Resolves when the guest's record asks for nothing any more, or when patience is over. */
  async #done(guest: string): Promise<void> {
    const { records } = this.#context;
    const { promise, resolve } = Promise.withResolvers<void>();
    const isOver = () => openRedirect(records.get(guest))?.redirect.retiring === undefined;
    using _listening = records.subscribe(() => {
      if (isOver()) resolve();
    });
    if (!isOver()) await waitAtMost(patienceMs, promise);
    // A record says at once what the kernel is only being made to.
    const rest = this.#context.network.hold().then((held) => held[Symbol.dispose]());
    await waitAtMost(patienceMs, rest);
  }
}

function pastRetirement(record: GuestRecord | undefined): Retirement | null {
  if (!record?.departed || record.hosting !== null || record.migration !== null) return null;
  const { guest, home, departed } = record;
  return {
    ...{ type: "retirement", guest, host: departed.host, home: home.host, state: "retired" },
    ...{ freed: addressOf(record), renumbered: departed.renumbered, reason: departed.reason },
    ...{ cut: [], cut_count: 0 },
  };
}
