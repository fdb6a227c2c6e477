import { wallClockMs } from "../platform/clock.ts";
import { preconditionError, type SojournError } from "../platform/errors.ts";
import { lessAndLessOften, retry } from "../platform/retry.ts";
import type { DrainContext } from "./drain-context.ts";
import { type AwayRecord, addressOf, openRedirect } from "./open-redirect.ts";
import type { GuestRecord, RetirementReason } from "./records.ts";

/**
 * Ends redirects, at home. Each step is durable before the next one, and may be taken again after a crash: the decision;
 * then the guest's host, which sends nothing here any more; then home, which forgets the way there.
 */
export class Retiring {
  readonly #context: DrainContext;

  constructor(context: DrainContext) {
    this.#context = context;
  }

  /**
   * Decides in writing: what follows is done for as long as it takes. The first reason stays.
   * @throws SojournError `SOJ_GUEST_BUSY` when a migration has begun, `SOJ_NOT_REDIRECTED`, `SOJ_JOURNAL_DAMAGED`.
   */
  async decide(guest: string, reason: RetirementReason): Promise<void> {
    const { journal, logger, network, records } = this.#context;
    journal.refuseHeld(guest);
    using _held = await network.hold();
    const record = this.#away(guest);
    const { redirect } = record;
    if (redirect.retiring !== undefined) return;
    // Between two other hosts.
    if (redirect.next !== undefined) throw beingMigrated(guest, undefined);
    records.put({ ...record, redirect: { ...redirect, retiring: reason } });
    logger.info({ guest, reason, host: redirect.host }, "the redirect is to be retired");
  }

  /**
   * Carries the decision out, on both hosts. Asks the guest's host again, less and less often, until it answers: the
   * redirect stays until then. Ends also when it is not meant any more. @throws the signal's reason.
   */
  async carryOut(guest: string, signal: AbortSignal): Promise<void> {
    const { logger, records } = this.#context;
    const step = async () => {
      const record = openRedirect(records.get(guest));
      if (record?.redirect.retiring === undefined) return;
      await this.#retireThere(record, record.redirect.retiring, signal);
      signal.throwIfAborted();
      await this.#retireHere(guest);
    };
    await retry(step, {
      ...{ ...lessAndLessOften, signal },
      onFailure: (error) =>
        logger.warn({ guest, err: error }, "the redirect stays until it can be retired"),
    });
  }

  async #retireThere(
    { guest, redirect }: AwayRecord,
    reason: RetirementReason,
    signal: AbortSignal,
  ): Promise<void> {
    const { logger, peer } = this.#context;
    const ask = (epoch: number | null) =>
      peer(redirect.host).call("retire-redirect", { guest, epoch, reason }, { signal });
    const { state, epoch } = await ask(null);
    const fields = { guest, host: redirect.host };
    if (state === "unknown") {
      logger.warn(fields, "the guest's host does not know it: nothing is left to retire there");
      return;
    }
    const { forgotten } = await ask(epoch);
    logger.info({ ...fields, forgotten }, "the guest's host sends nothing home any more");
  }

  async #retireHere(guest: string): Promise<void> {
    const { logger, network } = this.#context;
    using _held = await network.hold();
    const record = this.#away(guest);
    const { redirect } = record;
    if (redirect.retiring === undefined) return;
    const departed: NonNullable<GuestRecord["departed"]> = {
      host: redirect.host,
      migration: redirect.drain?.migration ?? null,
      renumbered: redirect.drain?.renumbered ?? null,
      reason: redirect.retiring,
      atMs: wallClockMs(),
    };
    await network.changeWhileHeld({ ...record, redirect: null, departed });
    const freed = addressOf(record);
    logger.info({ guest, ...departed, freed }, "the redirect is retired");
  }

  /** For whoever holds the network. @throws SojournError as `decide`. */
  #away(guest: string): AwayRecord {
    const { isArriving, records } = this.#context;
    const record = records.get(guest);
    const away = openRedirect(record);
    if (isArriving(guest) || (away === null && (record?.migration || record?.outgoing))) {
      throw beingMigrated(guest, record?.migration?.id);
    }
    if (away !== null) return away;
    throw notRedirected(guest);
  }
}

export function beingMigrated(guest: string, id: string | undefined): SojournError {
  return preconditionError("SOJ_GUEST_BUSY", `${guest} is being migrated`, {
    ...{ retryable: true, httpStatus: 409, guestState: "untouched" },
    ...(id === undefined ? {} : { migration: id, hint: `sojourn watch ${id}` }),
  });
}

export function notRedirected(guest: string): SojournError {
  return preconditionError("SOJ_NOT_REDIRECTED", `nothing of ${guest} is redirected`, {
    ...{ httpStatus: 409, guestState: "untouched", hint: `sojourn guest show ${guest}` },
  });
}
