import type { DeliveryState } from "./spool-rows.ts";

/** A subscription, without its secret. */
export interface Webhook {
  name: string;
  url: string;
  events: string[];
  /** Null for all. */
  guests: string[] | null;
  timeout_ms: number;
  /** `config`: from the configuration file, and to be changed there. */
  origin: "config" | "api";
  /** Messages that wait. */
  waiting: number;
  waiting_bytes: number;
  /** Since the daemon's start, as the others below. */
  delivered: number;
  failed: number;
  dead: number;
  dropped: number;
}

/** A new webhook, with its secret, which is not shown again. */
export interface NewWebhook extends Webhook {
  secret: string;
}

export interface WebhookWish {
  name: string;
  url: string;
  events?: string[] | undefined;
  guests?: string[] | undefined;
  timeout_ms?: number | undefined;
  /** Made when it is absent. */
  secret?: string | undefined;
  /** PEM certificates that are trusted instead of the system's. */
  ca?: string | undefined;
}

export interface WebhookTestResult {
  /** The receiver's answer, 200 to 299. */
  status: number;
  duration_ms: number;
  id: string;
}

/** A message and what became of it. Times are wall clock, milliseconds since 1970. */
export interface Delivery {
  id: string;
  type: string;
  guest: string;
  migration: string | null;
  state: DeliveryState;
  attempts: number;
  /** Of the last attempt: HTTP status, or a program's exit code. */
  status: number | null;
  error: string | null;
  created_ms: number;
  attempted_ms: number | null;
  ended_ms: number | null;
}

export interface DeliveryPage {
  deliveries: Delivery[];
  /** For the next page; null on the last. */
  next: string | null;
}

/**
 * Webhooks over the API. An unknown name is a `SojournError` with HTTP status 404; one from the configuration file
 * cannot be changed (409).
 */
export interface WebhookServices {
  listWebhooks(): Promise<Webhook[]>;
  getWebhook(name: string): Promise<Webhook>;
  /**
   * @throws SojournError `SOJ_WEBHOOK_EXISTS`, `SOJ_WEBHOOKS_TOO_MANY`, `SOJ_HOOK_TARGET_REFUSED`,
   * `SOJ_HOOK_URL_INVALID`, `SOJ_HOOK_SECRET_INVALID`, `SOJ_HOOK_CA_INVALID`.
   */
  addWebhook(wish: WebhookWish): Promise<NewWebhook>;
  /** Replaces it; its secret stays unless another is given, and what waits is sent to the new URL. */
  replaceWebhook(name: string, wish: Omit<WebhookWish, "name">): Promise<Webhook>;
  /** What waits for it is dropped. */
  removeWebhook(name: string): Promise<void>;
  /** Sends a message of type `webhook.test` at once. @throws SojournError (502) when it is not accepted. */
  testWebhook(name: string): Promise<WebhookTestResult>;
  /** Newest first; `exec` names the programs of the hooks folder. */
  listDeliveries(
    name: string,
    query?: {
      limit?: number | undefined;
      cursor?: string | undefined;
      state?: DeliveryState | undefined;
    },
  ): Promise<DeliveryPage>;
  /** Sends it again, with the same id. @throws SojournError `SOJ_DELIVERY_UNKNOWN` (404). */
  replayDelivery(name: string, id: string): Promise<Delivery>;
}
