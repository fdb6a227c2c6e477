import { join } from "node:path";
import type { MigrationSummary } from "../../migrator/stored-migration.ts";
import { startInterval, type Timer, wallClockMs } from "../../platform/clock.ts";
import type { Logger } from "../../platform/log.ts";
import { diskStorage } from "../../platform/storage.ts";
import { execSubscription, type HooksConfig, type WebhookConfig } from "./config.ts";
import { Deliverer } from "./deliverer.ts";
import { ExecEndpoint } from "./exec-endpoint.ts";
import type { FeedSource } from "./feed-source.ts";
import type { HookFigures } from "./figures.ts";
import { Inbox } from "./inbox.ts";
import { giveUpMs } from "./lane.ts";
import { missedOutcomes, type RememberedMigrations } from "./missed-outcomes.ts";
import { type GuestFacts, migrationMessage } from "./payload.ts";
import { QuietTimes } from "./quiet-times.ts";
import { HookSender } from "./send.ts";
import { webhookServices } from "./serve-webhooks.ts";
import { Spool } from "./spool.ts";
import { StoredWebhooks } from "./stored-webhooks.ts";
import { entriesFor, type Subscription } from "./subscriptions.ts";
import { type Resolve, TargetPolicy } from "./targets.ts";
import type { WebhookServices } from "./webhook-services.ts";
import { Webhooks } from "./webhooks.ts";

/** Outcomes that are known to be told of, without asking the disk. */
const mostTold = 2_000;

/** Between two looks for ends of migrations that were not told of. */
const lookingIntervalMs = 60_000;

export interface HooksOptions {
  hostName: string;
  config: HooksConfig;
  webhooks: readonly WebhookConfig[];
  stateFolder: string;
  feed: FeedSource;
  migrations: RememberedMigrations;
  /** What is known of a guest that is, or was just, on this host. */
  guestFacts: (guest: string) => GuestFacts | null;
  guestsHere: () => Map<string, GuestFacts>;
  /** Whether a guest stands to leave this host, or is expected here. */
  isGuestStanding: () => boolean;
  logger: Logger;
  /** Another way to resolve host names, for tests. */
  resolve?: Resolve;
}

/**
 * Tells receivers and programs what happens to this host's guests: at least once each, in their order as far as their
 * receiver takes them, also across this daemon's end, and never while a guest stands.
 */
export class Hooks implements AsyncDisposable {
  readonly services: WebhookServices;
  readonly #options: HooksOptions;
  readonly #spool: Spool;
  readonly #quiet: QuietTimes;
  readonly #webhooks: Webhooks;
  readonly #exec: ExecEndpoint;
  readonly #deliverer: Deliverer;
  readonly #inbox: Inbox;
  readonly #listening = new DisposableStack();
  readonly #stop = new AbortController();
  #looking: Timer | null = null;
  readonly #told = new Set<string>();

  constructor(options: HooksOptions) {
    this.#options = options;
    const { config, stateFolder, logger, isGuestStanding } = options;
    const limits = { messages: config.spool_messages, bytes: config.spool_mib * 1024 * 1024 };
    this.#spool = new Spool(join(stateFolder, "hooks.sqlite"), limits, logger);
    this.#quiet = new QuietTimes(isGuestStanding);
    this.#deliverer = new Deliverer(this.#spool, this.#quiet, logger);
    const policy = new TargetPolicy(config.allow_targets);
    const { resolve } = options;
    const sender = new HookSender({ policy, ...(resolve === undefined ? {} : { resolve }) });
    const stored = new StoredWebhooks(join(stateFolder, "webhooks.json"), diskStorage, logger);
    this.#webhooks = new Webhooks({ configured: options.webhooks, stored, policy, sender });
    const timeoutMs = config.exec_timeout_s * 1000;
    this.#exec = new ExecEndpoint({
      ...{ folder: config.exec_folder, timeoutMs, quiet: this.#quiet, logger },
    });
    this.#inbox = new Inbox({
      ...{ hostName: options.hostName, spool: this.#spool, quiet: this.#quiet, logger },
      ...{ guestFacts: options.guestFacts, guestsHere: options.guestsHere },
      subscriptions: () => this.#subscriptions(),
      onSpooled: (names) => {
        for (const name of names) this.#deliverer.wake(name);
      },
    });
    this.services = webhookServices({
      ...{ hostName: options.hostName, webhooks: this.#webhooks, spool: this.#spool },
      deliverer: this.#deliverer,
      subscribe: (subscription) => this.#begin(subscription),
      isGuestStanding,
      figures: (name) => this.#figuresOf(name, "webhook"),
    });
    this.#listening.use(options.feed.subscribe((event) => this.#inbox.note(event)));
  }

  /** Collects from its making on; from now on also tells, once it is quiet for the first time. */
  begin(): void {
    const start = async () => {
      await this.#quiet.begin(this.#stop.signal);
      for (const webhook of this.#webhooks.all()) this.#begin(webhook);
      this.#deliverer.begin(execSubscription, this.#exec);
      this.#looking = startInterval(() => void this.#tellMissed(), lookingIntervalMs);
      this.#guarded(() => this.#removeOthers());
      this.#inbox.begin();
      this.noteGuests();
      await this.#tellMissed();
    };
    // Rejects only when it is disposed of before.
    start().catch(() => {});
  }

  /** A guest may have come to, or gone from, this host. Quick. */
  noteGuests(): void {
    this.#inbox.noteGuests();
  }

  /** Disposed of with this. */
  owns(listening: Disposable): void {
    this.#listening.use(listening);
  }

  /** For each receiver, and for the programs. */
  figures(): HookFigures[] {
    return [
      ...this.#webhooks.all().map(({ name }) => this.#figuresOf(name, "webhook")),
      this.#figuresOf(execSubscription, "exec"),
    ];
  }

  /** What waits is on disk, and delivered by the next daemon. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#looking?.cancel();
    this.#listening[Symbol.dispose]();
    await this.#inbox[Symbol.asyncDispose]();
    await this.#deliverer[Symbol.asyncDispose]();
    this.#spool[Symbol.dispose]();
  }

  #begin(subscription: Subscription): void {
    this.#guarded(() => this.#spool.since(subscription.name));
    this.#deliverer.begin(subscription.name, subscription.endpoint);
  }

  /** Programs are looked for each time: they come and go without a word. */
  async #subscriptions(): Promise<Subscription[]> {
    const webhooks = this.#webhooks.all();
    if ((await this.#exec.programs()).length === 0) return webhooks;
    const events = this.#options.config.exec_events;
    return [...webhooks, { name: execSubscription, endpoint: this.#exec, events, guests: null }];
  }

  async #tellMissed(): Promise<void> {
    const subscriptions = await this.#subscriptions();
    if (subscriptions.length === 0 || !this.#quiet.isQuiet()) return;
    if (this.#stop.signal.aborted) return;
    const { migrations, logger, hostName, guestFacts } = this.#options;
    this.#guarded(() => {
      const since = new Map(subscriptions.map(({ name }) => [name, this.#spool.since(name)]));
      const first = Math.min(...since.values());
      const isTold = (end: MigrationSummary) =>
        (end.endedMs ?? 0) < first || this.#isTold(end.id, end.state);
      for (const end of missedOutcomes(migrations, isTold, wallClockMs())) {
        const { migration } = end;
        const told = subscriptions.filter(({ name }) => (since.get(name) ?? 0) <= end.wallClockMs);
        const message = migrationMessage(end, hostName, guestFacts(migration.guest));
        const entries = message === null ? [] : entriesFor(message, told);
        const outcomes = [{ migration: migration.id, outcome: migration.state }];
        this.#spool.add(entries, { outcomes, guests: [] });
        logger.warn({ migration: migration.id, state: migration.state }, "its end is told late");
        for (const { subscription } of entries) this.#deliverer.wake(subscription);
      }
    });
  }

  /** Asked again and again about the same, most of which were told of. */
  #isTold(migration: string, outcome: string): boolean {
    const key = `${migration} ${outcome}`;
    if (this.#told.has(key)) return true;
    if (!this.#spool.isTold(migration, outcome)) return false;
    if (this.#told.size >= mostTold) this.#told.clear();
    this.#told.add(key);
    return true;
  }

  /** A webhook that is gone from the configuration by mistake has a day to come back. */
  #removeOthers(): void {
    const known = [execSubscription, ...this.#webhooks.all().map(({ name }) => name)];
    const messages = this.#spool.removeOthers(known, wallClockMs() - giveUpMs);
    if (messages === 0) return;
    this.#options.logger.warn({ messages }, "forgotten: messages for webhooks that are no more");
  }

  #figuresOf(subscription: string, kind: HookFigures["kind"]): HookFigures {
    const { messages: waiting, bytes: waitingBytes } = this.#spool.room.used(subscription);
    const dropped = this.#spool.room.dropped(subscription);
    const counts = this.#deliverer.counters.of(subscription);
    return { subscription, kind, ...counts, dropped, waiting, waitingBytes };
  }

  /** Hooks inform: their disk's trouble is no reason for the daemon not to start. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.logger.error({ err: error }, "alarm: the spool of hooks cannot be used");
    }
  }
}
