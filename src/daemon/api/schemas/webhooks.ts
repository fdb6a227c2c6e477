import { z } from "zod";
import { namePattern } from "../../../platform/names.ts";
import { webhookBody } from "../../hooks/config.ts";
import { deliveryStates } from "../../hooks/spool-rows.ts";
import { nameSchema } from "./names.ts";

const count = z.int().min(0);

/** A subscription, without its secret. */
export const webhookSchema = z
  .object({
    name: z.string(),
    url: z.string(),
    events: z.array(z.string()),
    guests: z.array(z.string()).nullable().meta({ description: "Null for all" }),
    timeout_ms: z.number(),
    origin: z
      .enum(["config", "api"])
      .meta({ description: "`config`: from the configuration file, and to be changed there" }),
    waiting: count.meta({ description: "Messages that wait" }),
    waiting_bytes: count,
    delivered: count.meta({ description: "Since the daemon's start, as the others below" }),
    failed: count.meta({ description: "Attempts" }),
    dead: count.meta({ description: "Messages given up" }),
    dropped: count.meta({ description: "Messages lost for want of room" }),
  })
  .meta({
    id: "Webhook",
    examples: [
      {
        ...{ name: "chat", url: "https://chat.example.com/hook", events: ["outcomes"] },
        ...{ guests: null, timeout_ms: 10_000, origin: "api", waiting: 0, waiting_bytes: 0 },
        ...{ delivered: 3, failed: 0, dead: 0, dropped: 0 },
      },
    ],
  });

/** The answer to a subscription. */
export const newWebhookSchema = webhookSchema
  .extend({ secret: z.string().meta({ description: "Signs the messages; not shown again" }) })
  .meta({ id: "NewWebhook" });

/** Body of `POST /v1/webhooks`. */
export const addWebhookBody = webhookBody.meta({
  id: "WebhookWish",
  examples: [{ name: "chat", url: "https://chat.example.com/hook", events: ["outcomes"] }],
});

/** Body of `PUT /v1/webhooks/:name`. */
export const replaceWebhookBody = webhookBody.omit({ name: true }).meta({
  id: "WebhookReplacement",
  examples: [{ url: "https://chat.example.com/hook", events: ["migration.completed"] }],
});

/** What became of a message. */
export const deliverySchema = z
  .object({
    id: z.string(),
    type: z.string(),
    guest: z.string(),
    migration: z.string().nullable(),
    state: z.enum(deliveryStates).meta({ description: "`dead`: given up, until it is replayed" }),
    attempts: count,
    status: z
      .int()
      .nullable()
      .meta({ description: "Of the last attempt: HTTP status, or a program's exit code" }),
    error: z.string().nullable(),
    created_ms: z.number(),
    attempted_ms: z.number().nullable(),
    ended_ms: z.number().nullable(),
  })
  .meta({
    id: "Delivery",
    examples: [
      {
        ...{ id: "msg_Zk3l5v1k0tY3qFj8b2xw9A", type: "migration.completed", guest: "web1" },
        ...{ migration: "m-01jd2v9", state: "delivered", attempts: 1, status: 204, error: null },
        ...{ created_ms: 1_763_000_000_000, attempted_ms: 1_763_000_000_040 },
        ended_ms: 1_763_000_000_051,
      },
    ],
  });

export const testResultSchema = z
  .object({ status: z.int(), duration_ms: z.number(), id: z.string() })
  .meta({ id: "WebhookTestResult" });

/** Query of `GET /v1/webhooks/:name/deliveries`. */
export const deliveriesQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).optional(),
  cursor: z
    .string()
    .regex(/^[0-9]{1,15}$/)
    .optional()
    .meta({ description: "Of the Link header of the page before" }),
  state: z.enum(deliveryStates).optional(),
});

/** Path parameters of a delivery. */
export const deliveryParams = z.object({
  name: nameSchema,
  id: z.string().regex(namePattern).meta({ description: "Of the message" }),
});
