import { wallClockMs } from "../../platform/clock.ts";
import { preconditionError } from "../../platform/errors.ts";
import type { WebhookConfig } from "./config.ts";
import { defaultEvents } from "./events.ts";
import { checkCertificates, readCertificates, readSecretFile } from "./secret-file.ts";
import type { HookSender } from "./send.ts";
import { keyOfSecret, newSecret } from "./signature.ts";
import type { StoredWebhook, StoredWebhooks } from "./stored-webhooks.ts";
import type { Subscription } from "./subscriptions.ts";
import type { TargetPolicy } from "./targets.ts";
import { WebhookEndpoint, type WebhookTarget } from "./webhook-endpoint.ts";
import type { WebhookWish } from "./webhook-services.ts";

/** A webhook that messages are sent to. */
export interface ActiveWebhook extends Subscription {
  endpoint: WebhookEndpoint;
  origin: "config" | "api";
  url: string;
  timeoutMs: number;
}

/** Waits for a receiver unless told otherwise. */
const defaultTimeoutMs = 10_000;

/** So many may be subscribed to over the API. */
const mostStored = 256;

export interface WebhooksOptions {
  configured: readonly WebhookConfig[];
  stored: StoredWebhooks;
  policy: TargetPolicy;
  sender: HookSender;
}

/** The webhooks of the configuration file, and those subscribed to over the API. */
export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #active = new Map<string, ActiveWebhook>();

  constructor(options: WebhooksOptions) {
    this.#options = options;
    for (const stored of options.stored.all()) this.#activate(this.#ofStored(stored));
    // Those of the file win.
    for (const configured of options.configured) this.#activate(this.#ofConfig(configured));
  }

  all(): ActiveWebhook[] {
    return [...this.#active.values()];
  }

  /** @throws SojournError `SOJ_WEBHOOK_UNKNOWN` (404). */
  get(name: string): ActiveWebhook {
    const found = this.#active.get(name);
    if (found !== undefined) return found;
    throw preconditionError("SOJ_WEBHOOK_UNKNOWN", `there is no webhook ${name}`, {
      httpStatus: 404,
      hint: "sojourn webhook ls",
    });
  }

  /** Returns its secret too. @throws as `WebhookServices.addWebhook`. */
  add(wish: WebhookWish): { webhook: ActiveWebhook; secret: string } {
    if (this.#active.has(wish.name)) {
      throw preconditionError("SOJ_WEBHOOK_EXISTS", `there is a webhook ${wish.name} already`, {
        hint: `sojourn webhook rm ${wish.name}, or another name`,
      });
    }
    if (this.#options.stored.all().length >= mostStored) {
      throw preconditionError("SOJ_WEBHOOKS_TOO_MANY", `there are ${mostStored} webhooks already`, {
        hint: "sojourn webhook rm NAME",
      });
    }
    const secret = wish.secret ?? newSecret();
    return { webhook: this.#store({ ...wish, secret }, wallClockMs()), secret };
  }

  /** @throws SojournError `SOJ_WEBHOOK_UNKNOWN`, `SOJ_WEBHOOK_CONFIGURED`; as `add`. */
  replace(name: string, wish: Omit<WebhookWish, "name">): ActiveWebhook {
    const { secret, created_ms } = this.#changeable(name);
    return this.#store({ secret, ...wish, name }, created_ms);
  }

  /** @throws SojournError `SOJ_WEBHOOK_UNKNOWN`, `SOJ_WEBHOOK_CONFIGURED`. */
  remove(name: string): void {
    this.#changeable(name);
    this.#options.stored.remove(name);
    this.#active.delete(name);
  }

  #changeable(name: string): StoredWebhook {
    const stored = this.#options.stored.all().find((each) => each.name === name);
    if (this.get(name).origin === "api" && stored !== undefined) return stored;
    throw preconditionError("SOJ_WEBHOOK_CONFIGURED", `${name} is in the configuration file`, {
      hint: "change it in sojourn.toml and restart the daemon; guests go on",
    });
  }

  #store(wish: WebhookWish & { secret?: string | undefined }, createdMs: number): ActiveWebhook {
    this.#options.policy.checkUrl(wish.url);
    const secret = wish.secret ?? newSecret();
    keyOfSecret(secret);
    if (wish.ca !== undefined) checkCertificates(wish.ca);
    const stored = {
      ...{ name: wish.name, url: wish.url, secret, created_ms: createdMs },
      ...{ events: wish.events ?? [...defaultEvents], guests: wish.guests, ca: wish.ca },
      timeout_ms: wish.timeout_ms ?? defaultTimeoutMs,
    };
    this.#options.stored.put(stored);
    return this.#activate(this.#ofStored(stored));
  }

  #activate(webhook: ActiveWebhook): ActiveWebhook {
    this.#active.set(webhook.name, webhook);
    return webhook;
  }

  #ofStored(stored: StoredWebhook): ActiveWebhook {
    const key = async () => keyOfSecret(stored.secret);
    return this.#webhookOf(stored, "api", { key, ca: async () => stored.ca });
  }

  #ofConfig(configured: WebhookConfig): ActiveWebhook {
    const { secret_file: secretFile, ca: caFile } = configured;
    return this.#webhookOf(configured, "config", {
      key: () => readSecretFile(secretFile),
      ca: async () => (caFile === undefined ? undefined : await readCertificates(caFile)),
    });
  }

  #webhookOf(
    { name, url, events, guests, timeout_ms: timeoutMs }: StoredWebhook | WebhookConfig,
    origin: ActiveWebhook["origin"],
    secrets: Pick<WebhookTarget, "key" | "ca">,
  ): ActiveWebhook {
    const endpoint = new WebhookEndpoint({ url, timeoutMs, ...secrets }, this.#options.sender);
    return { name, url, events, guests: guests ?? null, timeoutMs, endpoint, origin };
  }
}
