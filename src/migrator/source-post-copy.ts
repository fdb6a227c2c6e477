import type {
  GuestInstance,
  MigrationProgress,
  MigrationStatus,
} from "../hypervisor/hypervisor.ts";
import { delay, monotonicMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import { retry } from "../platform/retry.ts";
import { failureOf } from "./failures.ts";
import { changeRouteLate } from "./late-route.ts";
import type { MigrationEvent } from "./migration-state.ts";
import { isFollowing, isReconnecting } from "./post-copy-status.ts";
import {
  type MigrationFacts,
  type MigrationTask,
  releaseNetwork,
  type SourceContext,
} from "./source-context.ts";
import { sharePostCopy } from "./source-share.ts";
import { Standstill } from "./standstill.ts";

/** Between two readings of how far the rest is. */
const readingMs = 100;

/** Pages that have not moved for so long need a new connection: TCP by itself may wait for minutes. */
const standstillMs = 2_000;

/** How long the handshake of a new connection may take. */
const handshakeMs = 5_000;

/** Between two tries of the destination. */
const [pauseMs, longestPauseMs] = [500, 5_000];

/** Without any progress for so long the migration is in doubt: who can be asked is asked on. */
const patienceMs = 600_000;

/**
 * Sees the rest of the guest's memory to the destination, which runs it already, over one connection after the other where
 * they break. Our process is needed for that to its last page, and nothing here ends it.
 * @throws SojournError `SOJ_POST_COPY_STALLED` when nothing has moved for ten minutes.
 */
export async function awaitPostCopy(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
): Promise<MigrationEvent> {
  const follower = new Follower(context, task, facts);
  using _share = await sharePostCopy(context, task, facts);
  const beganMs = monotonicMs();
  try {
    for (;;) {
      const end = await follower.look();
      if (end !== null) return end;
      await delay(readingMs);
    }
  } finally {
    facts.postCopy = {
      durationMs: monotonicMs() - beganMs,
      recovered: follower.recovered,
    };
  }
}

/**
 * At `pre-switchover`: a destination that has ended since is seen here alone, and a guest that is handed over to it can
 * run nowhere any more. Asked before the promise, and once more right before the handover.
 * @throws SojournError `SOJ_MIGRATION_FAILED`
 */
export async function refuseBroken(
  instance: Pick<GuestInstance, "migrationProgress">,
  { to }: Pick<MigrationTask, "to">,
): Promise<void> {
  const { status, errorText } = await instance.migrationProgress();
  if (status === "pre-switchover" && errorText === null) return;
  const message = `the stream to ${to} broke before the guest was handed over: ${errorText ?? status}`;
  throw new SojournError("SOJ_MIGRATION_FAILED", message, { retryable: true });
}

/** The guest runs: nobody needs to wait with other guests' networks until its last page is there. */
export async function landedMeanwhile(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
): Promise<void> {
  await changeRouteLate(context, task, facts);
  releaseNetwork(facts);
  void facts.flows?.carryLast();
}

class Follower {
  /** Connections that replaced a broken one, and over which pages follow again. */
  recovered = 0;
  readonly #context: SourceContext;
  readonly #task: MigrationTask;
  readonly #facts: MigrationFacts;
  readonly #moves = new Standstill();
  readonly #stays = new Standstill();
  #standsSinceMs = monotonicMs();
  #isRecovering = false;
  #pauseMs = pauseMs;
  #nextTryMs = 0;
  #nextPauseMs = 0;

  constructor(context: SourceContext, task: MigrationTask, facts: MigrationFacts) {
    this.#context = context;
    this.#task = task;
    this.#facts = facts;
  }

  /** How it has ended; null while it goes on. */
  async look(): Promise<MigrationEvent | null> {
    const { instance } = this.#facts;
    if (!instance.isAlive()) return await this.#settleLoss("source");
    const progress = await instance.migrationProgress().catch(() => null);
    if (progress === null) return this.#refuseTooLong();
    const stoodMs = this.#moves.note(progress.transferredBytes);
    if (stoodMs === 0) this.#standsSinceMs = monotonicMs();
    this.#facts.onProgress(progress, null, null);
    this.#noteRecovery(progress.status);
    if (progress.status === "completed") return { type: "post-copy-completed" };
    const sinceMs = this.#stays.note(rankOf(progress.status));
    const isGoingOn = progress.status === "device" && sinceMs < handshakeMs;
    if (!isFollowing(progress.status) && !isGoingOn) return await this.#settleLoss("stream");
    const event = await this.#mend(progress, { stoodMs, sinceMs });
    return event ?? this.#refuseTooLong();
  }

  /** Gives up a connection over which nothing comes any more, and asks for another in place of a broken one. */
  async #mend(
    progress: MigrationProgress,
    { stoodMs, sinceMs }: { stoodMs: number; sinceMs: number },
  ): Promise<MigrationEvent | null> {
    const { instance } = this.#facts;
    const isDead = progress.status === "postcopy-active" && stoodMs > standstillMs;
    const isHanging = isReconnecting(progress.status) && sinceMs > handshakeMs;
    // When all is sent and only the answer is missing, QEMU could not begin again: TCP has to get through.
    if ((isDead && progress.remainingBytes > 0) || isHanging) {
      if (monotonicMs() < this.#nextPauseMs) return null;
      this.#nextPauseMs = monotonicMs() + standstillMs;
      this.#warn("the rest of the guest's memory stands still: its connection is given up");
      await instance.pausePostCopy?.().catch(() => {});
      return null;
    }
    if (progress.status !== "postcopy-paused" || monotonicMs() < this.#nextTryMs) return null;
    this.#nextTryMs = monotonicMs() + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, longestPauseMs);
    return await this.#recover();
  }

  async #recover(): Promise<MigrationEvent | null> {
    const { id, guest, epoch, to } = this.#task;
    try {
      const answer = await this.#context
        .peer(to)
        .call("recover-post-copy", { id, guest, epoch }, { timeoutMs: 10_000 });
      switch (answer.state) {
        case "whole":
          return { type: "post-copy-completed" };
        case "gone":
          return this.#lost(`${guest}'s process at ${to} ended before all of its memory was there`);
        case "listening":
          await this.#facts.instance.resumePostCopy?.(answer.address, answer.port, to);
          this.#isRecovering = true;
      }
    } catch (error) {
      this.#context.logger.warn(
        { migration: id, guest, err: error },
        "the rest of the guest's memory cannot follow yet",
      );
    }
    return null;
  }

  #noteRecovery(status: MigrationStatus): void {
    if (!this.#isRecovering || status === "postcopy-paused" || isReconnecting(status)) return;
    this.#isRecovering = false;
    this.recovered += 1;
    this.#pauseMs = pauseMs;
    this.#warn("the rest of the guest's memory follows over a new connection");
  }

  /** Nothing more can come from here: what the destination has is all, or it ends its process. */
  async #settleLoss(what: "source" | "stream"): Promise<MigrationEvent> {
    const { id, guest, epoch, to } = this.#task;
    const { host, logger } = this.#context;
    const ask = () => this.#context.peer(to).call("lose-post-copy", { id, guest, epoch });
    const { copy } = await retry(ask, {
      ...{ pauseMs, longestPauseMs, forMs: patienceMs },
      onFailure: (error) =>
        logger.warn({ migration: id, err: error }, "the destination does not say what it has"),
    });
    if (copy === "whole") return { type: "post-copy-completed" };
    return this.#lost(
      what === "source"
        ? `${guest}'s process at ${host.name} ended before all of its memory was at ${to}`
        : `the stream broke after the last page had left ${host.name} and before it was at ${to}`,
    );
  }

  #lost(message: string): MigrationEvent {
    const { guest, to } = this.#task;
    const error = new SojournError("SOJ_POST_COPY_LOST", message, {
      hint: `start it again with sojourn guest start ${guest}; see the logs of ${this.#context.host.name} and ${to}`,
    });
    return { type: "post-copy-lost", failure: failureOf(error, "await-post-copy") };
  }

  /** @throws SojournError `SOJ_POST_COPY_STALLED` */
  #refuseTooLong(): null {
    if (monotonicMs() - this.#standsSinceMs < patienceMs) return null;
    const { guest, to } = this.#task;
    throw new SojournError(
      "SOJ_POST_COPY_STALLED",
      `${guest} runs at ${to} with a part of its memory here, and nothing of it has moved for ${patienceMs / 60_000} minutes`,
      {
        hint: `bring ${to} and the link to it back: this host tries on, and its copy stays stopped`,
      },
    );
  }

  #warn(text: string): void {
    const { id: migration, guest, to: destination } = this.#task;
    this.#context.logger.warn({ migration, guest, destination }, text);
  }
}

/** A number that changes with the status. */
function rankOf(status: MigrationStatus): number {
  return ["postcopy-active", "postcopy-paused", "postcopy-recover-setup"].indexOf(status);
}
