import { z } from "zod";
import { wallClockMs } from "../../platform/clock.ts";
import type { Logger } from "../../platform/log.ts";
import type { Storage } from "../../platform/storage.ts";
import { webhookBody } from "./config.ts";

/** A webhook that was subscribed to over the API. */
const storedWebhook = webhookBody.extend({ secret: z.string(), created_ms: z.number() });

const fileSchema = z.array(storedWebhook);

export type StoredWebhook = z.output<typeof storedWebhook>;

/**
 * The webhooks that were subscribed to over the API, with their secrets, in a file that is replaced durably. One that
 * cannot be understood is kept beside, with an alarm; one that cannot be read, or put aside, is tried again at each
 * change, since a daemon for which a guest may wait starts without webhooks rather than not at all.
 */
export class StoredWebhooks {
  readonly #path: string;
  readonly #storage: Storage;
  readonly #logger: Logger;
  /** Null while they cannot be read. */
  #webhooks: readonly StoredWebhook[] | null = null;

  constructor(path: string, storage: Storage, logger: Logger) {
    this.#path = path;
    this.#storage = storage;
    this.#logger = logger;
    try {
      this.#webhooks = this.#read();
    } catch (error) {
      logger.error({ path, err: error }, "alarm: the webhooks subscribed to cannot be read");
    }
  }

  all(): readonly StoredWebhook[] {
    return this.#webhooks ?? [];
  }

  /** Adds one, or replaces that of its name. @throws the disk's error; nothing is changed then. */
  put(webhook: StoredWebhook): void {
    this.#write([...this.#known().filter(({ name }) => name !== webhook.name), webhook]);
  }

  /** @throws the disk's error; nothing is changed then. */
  remove(name: string): void {
    this.#write(this.#known().filter((webhook) => webhook.name !== name));
  }

  /** What is on disk must not be written over unseen. */
  #known(): readonly StoredWebhook[] {
    this.#webhooks ??= this.#read();
    return this.#webhooks;
  }

  #write(webhooks: readonly StoredWebhook[]): void {
    this.#storage.replace(this.#path, `${JSON.stringify(webhooks, null, 2)}\n`);
    this.#webhooks = webhooks;
  }

  #read(): readonly StoredWebhook[] {
    const content = this.#storage.read(this.#path);
    if (content === null) return [];
    try {
      return fileSchema.parse(JSON.parse(String(content)));
    } catch (error) {
      const aside = `${this.#path}.damaged-${Math.floor(wallClockMs())}`;
      this.#storage.replace(aside, content);
      this.#logger.error(
        // Not its message, which may quote a secret.
        { path: this.#path, aside, reason: (error as Error).name },
        "alarm: the webhooks that were subscribed to are lost; subscribe to them again",
      );
      return [];
    }
  }
}
