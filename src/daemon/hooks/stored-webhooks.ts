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
 * cannot be understood is kept beside, with an alarm.
 */
export class StoredWebhooks {
  readonly #path: string;
  readonly #storage: Storage;
  #webhooks: readonly StoredWebhook[];

  constructor(path: string, storage: Storage, logger: Logger) {
    this.#path = path;
    this.#storage = storage;
    this.#webhooks = this.#read(logger);
  }

  all(): readonly StoredWebhook[] {
    return this.#webhooks;
  }

  /** Adds one, or replaces that of its name. @throws the disk's error; nothing is changed then. */
  put(webhook: StoredWebhook): void {
    this.#write([...this.#webhooks.filter(({ name }) => name !== webhook.name), webhook]);
  }

  /** @throws the disk's error; nothing is changed then. */
  remove(name: string): void {
    this.#write(this.#webhooks.filter((webhook) => webhook.name !== name));
  }

  #write(webhooks: readonly StoredWebhook[]): void {
    this.#storage.replace(this.#path, `${JSON.stringify(webhooks, null, 2)}\n`);
    this.#webhooks = webhooks;
  }

  #read(logger: Logger): readonly StoredWebhook[] {
    const content = this.#storage.read(this.#path);
    if (content === null) return [];
    try {
      return fileSchema.parse(JSON.parse(String(content)));
    } catch (error) {
      const aside = `${this.#path}.damaged-${Math.floor(wallClockMs())}`;
      this.#storage.replace(aside, content);
      logger.error(
        // Not its message, which may quote a secret.
        { path: this.#path, aside, reason: (error as Error).name },
        "alarm: the webhooks that were subscribed to are lost; subscribe to them again",
      );
      return [];
    }
  }
}
