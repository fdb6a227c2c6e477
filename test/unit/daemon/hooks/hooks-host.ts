import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type HooksConfig,
  hooksSection,
  type WebhookConfig,
} from "../../../../src/daemon/hooks/config.ts";
import type { HookFeedEvent } from "../../../../src/daemon/hooks/feed-source.ts";
import { Hooks } from "../../../../src/daemon/hooks/hooks.ts";
import type { GuestFacts } from "../../../../src/daemon/hooks/payload.ts";
import type { MigrationEvent } from "../../../../src/daemon/services.ts";
import type { Phase } from "../../../../src/migrator/phases.ts";
import type { StoredMigration } from "../../../../src/migrator/stored-migration.ts";
import { createLogger, type Logger } from "../../../../src/platform/log.ts";
import { phaseEvent, reportWith, status } from "../../../support/fake-services.ts";

/** A daemon's state folder with its hooks, which a test can end and begin again. */
export class HooksHost implements AsyncDisposable {
  readonly stateFolder: string;
  readonly execFolder: string;
  readonly logged: Record<string, unknown>[] = [];
  readonly guestsHere = new Map<string, GuestFacts>();
  readonly remembered: StoredMigration[] = [];
  isGuestStanding = false;
  config: Partial<HooksConfig> = {};
  webhooks: WebhookConfig[] = [];
  #hooks: Hooks | null = null;
  #publish: (event: HookFeedEvent) => void = () => {};

  constructor(stateFolder: string) {
    this.stateFolder = stateFolder;
    this.execFolder = join(stateFolder, "hooks.d");
  }

  static async make(): Promise<HooksHost> {
    const host = new HooksHost(await mkdtemp(join(tmpdir(), "sojourn-hooks-")));
    await mkdir(host.execFolder, { mode: 0o755 });
    return host;
  }

  get hooks(): Hooks {
    if (this.#hooks === null) throw new Error("not begun");
    return this.#hooks;
  }

  begin(): Hooks {
    const hooks = new Hooks({
      hostName: "host-a",
      config: {
        ...hooksSection.parse({ allow_targets: ["127.0.0.0/8"], exec_folder: this.execFolder }),
        ...this.config,
      },
      webhooks: this.webhooks,
      stateFolder: this.stateFolder,
      feed: {
        subscribe: (listener) => {
          this.#publish = listener;
          return { [Symbol.dispose]: () => this.#silence() };
        },
      },
      migrations: {
        list: ({ states }) => this.remembered.filter(({ state }) => states.includes(state)),
        get: (id) => this.remembered.find((each) => each.id === id) ?? never(id),
      },
      guestFacts: (guest) => ({ name: guest, addresses: ["10.1.0.10"], home: "host-a" }),
      guestsHere: () => this.guestsHere,
      isGuestStanding: () => this.isGuestStanding,
      logger: this.#logger(),
    });
    hooks.begin();
    this.#hooks = hooks;
    return hooks;
  }

  async end(): Promise<void> {
    await this.#hooks?.[Symbol.asyncDispose]();
    this.#hooks = null;
  }

  /** A phase or instant of a migration. */
  phase(phase: string, id = "m1", guest = "web1"): void {
    this.publish({ ...phaseEvent, id, phase: phase as "precopy" }, phase as Phase, id, guest);
  }

  report(outcome: "completed" | "rolled-back", id = "m1", guest = "web1"): void {
    this.publish(reportWith({ id, guest, outcome }), outcome, id, guest);
  }

  progress(id = "m1", transferred = 1): void {
    const figures = { transferred_bytes: transferred, remaining_bytes: 1, total_bytes: 2 };
    const rates = { bandwidth_mbps: 1, dirty_mbps: null, dirty_syncs: 1 };
    const event = { type: "progress", id, ...figures, ...rates, predicted_blackout_ms: null };
    this.publish(event as MigrationEvent, "precopy", id, "web1");
  }

  publish(event: MigrationEvent, state: Phase, id: string, guest: string): void {
    this.#publish({
      wallClockMs: Date.now(),
      migration: { ...status, id, guest, state },
      event,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await rm(this.stateFolder, { recursive: true, force: true });
  }

  #silence(): void {
    this.#publish = () => {};
  }

  /** What is logged, as objects. */
  #logger(): Logger {
    const logger = createLogger("silent");
    const note = (fields: object, message: string) => this.logged.push({ ...fields, message });
    return Object.assign(Object.create(logger), {
      ...{ info: note, warn: note, error: note },
      child: () => logger,
    });
  }
}

/** A migration as the history has it. */
export function rememberedEnd(change: Partial<StoredMigration>): StoredMigration {
  return {
    ...{ id: "m1", guest: "web1", from: "host-a", to: "host-b", state: "completed" },
    ...{ startedMs: 1, endedMs: 2, report: reportWith({}), error: null },
    ...change,
  };
}

/** Polls until something holds; for what no event tells. */
export async function until(holds: () => boolean | Promise<boolean>, mostMs = 15_000) {
  const endMs = Date.now() + mostMs;
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error(`not within ${mostMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function never(id: string): never {
  throw new Error(`no ${id}`);
}
