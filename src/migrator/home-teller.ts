import { SojournError } from "../platform/errors.ts";
import type { Logger } from "../platform/log.ts";
import type { PeerCaller } from "../platform/procedures.ts";
import { type Pace, retry } from "../platform/retry.ts";
import { waitAtMost } from "../platform/waiting.ts";
import type { HostNetwork } from "./host-network.ts";
import type { migrationProcedures } from "./procedures.ts";
import type { RecordStore } from "./record-store.ts";
import type { GuestRecord } from "./records.ts";
import type { repointProcedures } from "./repoint-procedures.ts";

type HomePeer = PeerCaller<
  typeof repointProcedures & Pick<typeof migrationProcedures, "migration-facts">
>;

/** Until it is told, the guest's packets take the way through the host that the guest has left. */
const pace: Pace = { pauseMs: 250, longestPauseMs: 15_000 };

/** How long somebody waits for home at a time. */
const patienceMs = 8_000;

/**
 * Tells the homes of guests that have come here from a third host that they run here, until they have heard it: the records
 * say which (`homeUntold`), so that a restarted daemon goes on.
 */
export class HomeTeller implements Disposable {
  readonly #records: RecordStore;
  readonly #network: Pick<HostNetwork, "hold">;
  /** @throws SojournError when no such peer is configured. */
  readonly peer: (host: string) => HomePeer;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  readonly #telling = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, unknown>();

  constructor(options: {
    records: RecordStore;
    network: Pick<HostNetwork, "hold">;
    peer: (host: string) => HomePeer;
    logger: Logger;
  }) {
    this.#records = options.records;
    this.#network = options.network;
    this.peer = options.peer;
    this.#logger = options.logger;
  }

  /** Goes on with what an earlier daemon has not done. */
  begin(): void {
    for (const { guest } of this.#records.all()) this.tell(guest);
  }

  /** Tells the guest's home, in the background, if it is still to be told and the guest runs here. */
  tell(guest: string): void {
    if (this.#stop.signal.aborted || this.#telling.has(guest) || !this.#untold(guest)) return;
    const telling = this.#tell(guest)
      .catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#logger.error({ guest, err: error }, "alarm: home is not told any more");
      })
      .finally(() => this.#telling.delete(guest));
    this.#telling.set(guest, telling);
  }

  /**
   * Returns when home knows that the guest is here, if it was to be told.
   * @throws SojournError `SOJ_HOME_UNTOLD` (retryable) after some seconds, with the last failure.
   */
  async told(guest: string): Promise<void> {
    this.tell(guest);
    await waitAtMost(patienceMs, this.#telling.get(guest) ?? Promise.resolve());
    const record = this.#untold(guest);
    if (record === null) return;
    const { host } = record.home;
    throw new SojournError(
      "SOJ_HOME_UNTOLD",
      `${host}, ${guest}'s home, could not be told that the guest runs here`,
      { retryable: true, httpStatus: 503, cause: this.#failures.get(guest) },
    );
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #tell(guest: string): Promise<void> {
    const { signal } = this.#stop;
    await retry(() => this.#tellOnce(guest), {
      ...{ ...pace, signal },
      onFailure: (error) => {
        this.#failures.set(guest, error);
        this.#logger.warn({ guest, err: error }, "home is told again that the guest runs here");
      },
    });
    this.#failures.delete(guest);
  }

  async #tellOnce(guest: string): Promise<void> {
    const record = this.#untold(guest);
    if (record === null) return;
    const { epoch, home, hosting } = record;
    if (!hosting.homeTunnel) return;
    const { homeTunnel, homeUntold, renumbered } = hosting;
    const request = {
      ...{ guest, epoch, tunnel_kind: homeTunnel.kind },
      ...(homeUntold === "resolved" ? { resolved: true } : {}),
      ...(renumbered === undefined ? {} : { renumbered }),
    };
    await this.peer(home.host).call("repoint", request, { signal: this.#stop.signal });
    using _held = await this.#network.hold();
    const current = this.#untold(guest);
    if (current?.epoch !== epoch) return;
    const { homeUntold: _told, ...rest } = current.hosting;
    this.#records.put({ ...current, hosting: rest });
    this.#logger.info({ guest, home: home.host, epoch }, "home sends the guest's packets here");
  }

  /** One that has not landed yet may still be given up. */
  #untold(guest: string) {
    const record = this.#records.get(guest);
    if (!record?.hosting?.homeUntold) return null;
    const { stage } = record.hosting;
    if (stage !== "landed" && stage !== "running") return null;
    return { ...record, hosting: record.hosting } satisfies GuestRecord;
  }
}
