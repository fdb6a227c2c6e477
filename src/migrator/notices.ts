import { SojournError } from "../platform/errors.ts";
import { lessAndLessOften, retry } from "../platform/retry.ts";
import type { JournalRecord } from "./journal-record.ts";
import type { SourceContext } from "./source-context.ts";

/**
 * Tells destinations what operators have decided without them, once they are heard from again; what was not told is
 * in the journal and told after a restart.
 */
export class Notices implements Disposable {
  readonly #context: SourceContext;
  readonly #stop = new AbortController();
  readonly #telling = new Set<string>();

  constructor(context: SourceContext) {
    this.#context = context;
  }

  /** Begins with all decisions that are not told yet. */
  tell(): void {
    for (const decision of this.#context.journal.untold()) {
      if (this.#telling.has(decision.migration)) continue;
      this.#telling.add(decision.migration);
      this.#tell(decision).catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        const fields = { migration: decision.migration, err: error };
        this.#context.logger.error(fields, "alarm: the destination is not told of the decision");
      });
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #tell(decision: JournalRecord): Promise<void> {
    const { journal, logger } = this.#context;
    const { migration, guest, epoch } = decision;
    const tell = async () => {
      if (decision.step === "resolved-source") await this.#supersede(decision);
      else await this.#finish(decision);
      journal.append({ step: "destination-told", migration, guest, epoch, role: "source" });
    };
    await retry(tell, {
      ...lessAndLessOften,
      signal: this.#stop.signal,
      onFailure: (error) =>
        logger.info({ migration, err: error }, "the destination is not told of the decision yet"),
    });
  }

  /** The epoch of a decision for the source is the new one, one above that of the migration. */
  async #supersede({ migration: id, guest, epoch, peer = "" }: JournalRecord): Promise<void> {
    const request = { id, guest, epoch: epoch - 1, new_epoch: epoch };
    const { copy } = await this.#context.peer(peer).call("supersede", request);
    const fields = { migration: id, guest, destination: peer, copy };
    if (copy === "running") {
      this.#context.logger.error(
        fields,
        "alarm: the guest ran at the destination too; it is ended",
      );
    } else this.#context.logger.info(fields, "the destination knows that the guest stays here");
  }

  async #finish({ migration: id, guest, epoch, peer = "" }: JournalRecord): Promise<void> {
    const destination = this.#context.peer(peer);
    const fields = { migration: id, guest, destination: peer };
    try {
      const { state } = await destination.call("settle", {
        id,
        guest,
        epoch,
        grace_ms: 0,
        promised: true,
      });
      if (state === "taken-over") {
        await this.#endPart({ id, guest, epoch }, peer);
        await destination.call("finish", { id, guest, epoch });
        this.#context.logger.info(fields, "the destination knows that the guest is its own");
        return;
      }
    } catch (error) {
      if (!(error instanceof SojournError) || error.code !== "SOJ_STALE_EPOCH") throw error;
    }
    this.#context.logger.error(fields, "alarm: the guest was left to a host that does not have it");
    await this.#forgetRedirect(guest, peer);
  }

  /** By post-copy it may lack a part of its memory, which this host had and has no longer. */
  async #endPart(identity: { id: string; guest: string; epoch: number }, peer: string) {
    if (!this.#context.journal.has(identity.id, "post-copy")) return;
    const { copy } = await this.#context.peer(peer).call("lose-post-copy", identity);
    if (copy === "whole") return;
    const fields = { migration: identity.id, guest: identity.guest, destination: peer };
    this.#context.logger.error(fields, "alarm: the guest lacked a part of its memory; it is ended");
  }

  /** Nobody has the guest: it can be started at its home again. */
  async #forgetRedirect(guest: string, host: string): Promise<void> {
    const record = this.#context.records.get(guest);
    const place = record?.redirect?.host ?? record?.departed?.host;
    if (place !== host || record?.hosting !== null) return;
    await this.#context.network.forget(guest);
  }
}
