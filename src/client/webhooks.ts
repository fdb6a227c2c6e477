import type { Delivery, WebhookServices } from "../daemon/hooks/webhook-services.ts";
import type { Connection } from "./connection.ts";
import { pageOf } from "./pages.ts";
import { pathOf } from "./paths.ts";

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
    async listDeliveries(name, query = {}) {
      const path = ["v1", "webhooks", name, "deliveries"];
      const { items, next } = await pageOf<Delivery>(connection, path, query);
      return { deliveries: items, next };
    },
    replayDelivery: (name, id) =>
      connection.json({ method: "POST", path: of(name, "deliveries", id, "replay") }),
  };
}
