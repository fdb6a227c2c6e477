import type { Migrations } from "../migrator/migrations.ts";
import type { Idempotency, MigrationSummary, StreamEvent } from "../migrator/stored-migration.ts";
import { delay } from "../platform/clock.ts";
import { asSojournError, ExitCode, SojournError } from "../platform/errors.ts";
import type { PeerCaller } from "../platform/procedures.ts";
import { lessAndLessOften, retry } from "../platform/retry.ts";
import type { procedures } from "./peer-procedures.ts";

type Mirrored = Pick<MigrationSummary, "id" | "guest" | "from" | "to">;

/** Without an answer for so many seconds a follower is told that the migration is out of sight. */
const toleratedFailures = 60;

/**
 * Copies of the migrations that other hosts carry out for this one. Those whose end is not known, or in doubt, are
 * asked about until it is.
 */
export class Mirrors implements Disposable {
  readonly #here: string;
  readonly #peer: (host: string) => PeerCaller<typeof procedures>;
  readonly #migrations: Migrations;
  readonly #stop = new AbortController();

  constructor(
    here: string,
    peer: (host: string) => PeerCaller<typeof procedures>,
    migrations: Migrations,
  ) {
    this.#here = here;
    this.#peer = peer;
    this.#migrations = migrations;
  }

  begin(mirrored: Mirrored, idempotency: Idempotency | null): void {
    const feed = this.#migrations.mirror(mirrored, idempotency);
    void this.#follow(mirrored, feed).catch(() => {});
  }

  /** Those of an earlier daemon. */
  goOn(): void {
    for (const mirrored of this.#migrations.openMirrors()) {
      if (mirrored.state === "in-doubt") void this.#askLater(mirrored).catch(() => {});
      else this.begin(mirrored, null);
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #follow(
    mirrored: Mirrored,
    feed: (event: StreamEvent, ended: boolean) => void,
  ): Promise<void> {
    const { id, from: host } = mirrored;
    const { signal } = this.#stop;
    let from = 0;
    let failures = 0;
    while (failures < toleratedFailures) {
      try {
        const request = { id, from, wait_ms: 10_000 };
        const answer = await this.#peer(host).call("delegated-events", request, { signal });
        failures = 0;
        const events = answer.events as StreamEvent[];
        for (const [index, event] of events.entries()) {
          feed(event, answer.ended && index === events.length - 1);
        }
        from += events.length;
        const last = events.at(-1);
        if (answer.ended && last !== undefined) {
          if (isOpenEnd(last)) await this.#askLater(mirrored);
          return;
        }
        if (answer.ended) break;
      } catch (error) {
        signal.throwIfAborted();
        failures += asSojournError(error).retryable ? 1 : toleratedFailures;
        await delay(1_000, signal);
      }
    }
    feed(this.#outOfSight(mirrored).toRecord(), true);
    await this.#askLater(mirrored);
  }

  /** Asks how it ended until that is known, or the other host knows nothing of it. */
  async #askLater(mirrored: Mirrored): Promise<void> {
    const { signal } = this.#stop;
    await delay(lessAndLessOften.pauseMs, signal);
    await retry(() => this.#hearOfEnd(mirrored), { ...lessAndLessOften, signal });
  }

  async #hearOfEnd(mirrored: Mirrored): Promise<void> {
    const { id, from: host } = mirrored;
    try {
      const request = { id, from: 0, wait_ms: 0 };
      const answer = await this.#peer(host).call("delegated-events", request);
      const last = answer.events.at(-1) as StreamEvent | undefined;
      if (!answer.ended || last === undefined || isOpenEnd(last)) {
        throw new Error(`${id} has not ended at ${host}`);
      }
      this.#migrations.mirror(mirrored, null)(last, true);
    } catch (error) {
      if (asSojournError(error).code !== "SOJ_MIGRATION_UNKNOWN") throw error;
    }
  }

  #outOfSight({ id, from: host }: Mirrored): SojournError {
    return new SojournError(
      "SOJ_PEER_UNREACHABLE",
      `${this.#here} has lost sight of migration ${id}, which ${host} carries out`,
      {
        exitCode: ExitCode.unreachable,
        hint: `on ${host}: sojourn watch ${id}`,
        guestState: "unknown",
        migration: id,
      },
    );
  }
}

/** An end that is none yet: in doubt, or out of sight. */
function isOpenEnd(event: StreamEvent): boolean {
  if (event.type !== "error") return false;
  return event.exit_code === ExitCode.inDoubt || event.exit_code === ExitCode.unreachable;
}
