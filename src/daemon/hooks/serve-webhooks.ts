import { wallClockMs } from "../../platform/clock.ts";
import { usageError } from "../../platform/errors.ts";
import { untilCalm } from "../inventory/calm-reader.ts";
import { execSubscription } from "./config.ts";
import type { Deliverer } from "./deliverer.ts";
import { listDeliveries, replayDelivery } from "./delivery-log.ts";
import type { HookFigures } from "./figures.ts";
import { testBody } from "./payload.ts";
import type { Spool } from "./spool.ts";
import type { SpooledMessage } from "./spool-rows.ts";
import type { Delivery, Webhook, WebhookServices } from "./webhook-services.ts";
import type { ActiveWebhook, Webhooks } from "./webhooks.ts";

/** How many deliveries are listed unless more are asked for. */
const listedDeliveries = 100;

export interface ServedHooks {
  hostName: string;
  webhooks: Webhooks;
  spool: Spool;
  deliverer: Deliverer;
  /** Begins to tell a new one. */
  subscribe: (webhook: ActiveWebhook) => void;
  figures: (name: string) => HookFigures;
  /** Meanwhile nothing is written or sent for anybody: a request waits. */
  isGuestStanding: () => boolean;
}

/** What the API serves of webhooks. What writes or sends may throw `SOJ_SWITCHOVER`, as `untilCalm`. */
export function webhookServices(hooks: ServedHooks): WebhookServices {
  const { webhooks, spool, deliverer } = hooks;
  const calm = () => untilCalm(hooks.isGuestStanding);
  const view = (webhook: ActiveWebhook) => webhookView(webhook, hooks.figures(webhook.name));
  const checkKnown = (name: string) => {
    if (name !== execSubscription) webhooks.get(name);
  };
  return {
    listWebhooks: async () => webhooks.all().map(view),
    getWebhook: async (name) => view(webhooks.get(name)),
    async addWebhook(wish) {
      await calm();
      const { webhook, secret } = webhooks.add(wish);
      hooks.subscribe(webhook);
      return { ...view(webhook), secret };
    },
    async replaceWebhook(name, wish) {
      await calm();
      const webhook = webhooks.replace(name, wish);
      await deliverer.end(name);
      hooks.subscribe(webhook);
      return view(webhook);
    },
    async removeWebhook(name) {
      await calm();
      webhooks.remove(name);
      await deliverer.end(name);
      spool.remove(name);
      deliverer.counters.forget(name);
    },
    async testWebhook(name) {
      await calm();
      const { endpoint } = webhooks.get(name);
      const { id, body } = testBody(hooks.hostName, wallClockMs());
      const { status, durationMs } = await endpoint.send(id, body);
      return { status, duration_ms: durationMs, id };
    },
    async listDeliveries(name, { limit = listedDeliveries, cursor, state } = {}) {
      checkKnown(name);
      const query = {
        ...{ limit: limit + 1 },
        ...(cursor === undefined ? {} : { before: numberOf(cursor) }),
        ...(state === undefined ? {} : { state }),
      };
      const found = listDeliveries(spool, name, query);
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      return { deliveries: page.map(deliveryView), next: last ? String(last.number) : null };
    },
    async replayDelivery(name, id) {
      await calm();
      checkKnown(name);
      const replayed = replayDelivery(spool, name, id);
      deliverer.hurry(name);
      return deliveryView(replayed);
    },
  };
}

function webhookView(
  { name, url, events, guests, timeoutMs, origin }: ActiveWebhook,
  figures: HookFigures,
): Webhook {
  const { waiting, waitingBytes, delivered, failed, dead, dropped } = figures;
  return {
    ...{ name, url, events: [...events], guests: guests === null ? null : [...guests] },
    ...{ timeout_ms: timeoutMs, origin, waiting, waiting_bytes: waitingBytes },
    ...{ delivered, failed, dead, dropped },
  };
}

function deliveryView(message: SpooledMessage): Delivery {
  const { id, type, guest, migration, state, attempts, status, error } = message;
  return {
    ...{ id, type, guest, migration, state, attempts, status, error },
    ...{ created_ms: message.createdMs, attempted_ms: message.attemptedMs },
    ended_ms: message.endedMs,
  };
}

function numberOf(cursor: string): number {
  if (/^[0-9]{1,15}$/.test(cursor)) return Number(cursor);
  throw usageError("the cursor is none", "take it from the Link header of the page before");
}
