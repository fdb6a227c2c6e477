import type { Delivery, DeliveryPage, WebhookServices } from "../daemon/hooks/webhook-services.ts";
import type { Connection } from "./connection.ts";
import { nextCursor, pathOf } from "./paths.ts";

/** Webhooks of the daemon's host, and what became of their messages; for callers with the role admin. */
export type WebhookClient = WebhookServices;

export function webhookClient(connection: Connection): WebhookClient {
  const all = "/v1/webhooks";
  const of = (name: string, ...part: string[]) => pathOf(["v1", "webhooks", name, ...part]);
  return {
    listWebhooks: () => connection.json({ method: "GET", path: all }),
    getWebhook: (name) => connection.json({ method: "GET", path: of(name) }),
    addWebhook: (wish) => connection.json({ method: "POST", path: all, body: wish }),
    replaceWebhook: (name, wish) => connection.json({ method: "PUT", path: of(name), body: wish }),
    removeWebhook: (name) => connection.json({ method: "DELETE", path: of(name) }),
    testWebhook: (name) => connection.json({ method: "POST", path: of(name, "test") }),
    async listDeliveries(name, { limit, cursor, state } = {}): Promise<DeliveryPage> {
      const path = pathOf(["v1", "webhooks", name, "deliveries"], { limit, cursor, state });
      const { body, link } = await connection.answer<Delivery[]>({ method: "GET", path });
      return { deliveries: body, next: nextCursor(link) };
    },
    replayDelivery: (name, id) =>
      connection.json({ method: "POST", path: of(name, "deliveries", id, "replay") }),
  };
}
