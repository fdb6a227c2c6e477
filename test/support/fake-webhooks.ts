import type {
  Delivery,
  Webhook,
  WebhookServices,
} from "../../src/daemon/hooks/webhook-services.ts";
import { preconditionError } from "../../src/platform/errors.ts";

export const webhook: Webhook = {
  ...{ name: "chat", url: "https://chat.example.com/hook", events: ["outcomes"], guests: null },
  ...{ timeout_ms: 10_000, origin: "api", waiting: 0, waiting_bytes: 0 },
  ...{ delivered: 1, failed: 0, dead: 0, dropped: 0 },
};

export const delivery: Delivery = {
  ...{ id: "msg_1", type: "migration.completed", guest: "web1", migration: "m1" },
  ...{ state: "delivered", attempts: 1, status: 204, error: null },
  ...{ created_ms: 1, attempted_ms: 2, ended_ms: 2 },
};

/** Services of a host with one webhook, to which one message was delivered. */
export function fakeWebhooks(): WebhookServices {
  const known = (name: string) => {
    if (name !== "chat") {
      throw preconditionError("SOJ_WEBHOOK_UNKNOWN", `there is no webhook ${name}`, {
        httpStatus: 404,
      });
    }
    return webhook;
  };
  return {
    listWebhooks: async () => [webhook],
    getWebhook: async (name) => known(name),
    addWebhook: async ({ name, url }) => ({ ...webhook, name, url, secret: "whsec_AAAA" }),
    replaceWebhook: async (name, { url }) => ({ ...known(name), url }),
    removeWebhook: async (name) => void known(name),
    testWebhook: async (name) => {
      known(name);
      return { status: 204, duration_ms: 1.5, id: "msg_2" };
    },
    listDeliveries: async (name) => {
      known(name);
      return { deliveries: [delivery], next: null };
    },
    replayDelivery: async (name, id) => {
      known(name);
      if (id === delivery.id) return { ...delivery, state: "pending" };
      throw preconditionError("SOJ_DELIVERY_UNKNOWN", `there is no delivery ${id}`, {
        httpStatus: 404,
      });
    },
  };
}
