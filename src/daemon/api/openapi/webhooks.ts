import { z } from "zod";
import { hookPayloadSchema } from "../../hooks/payload.ts";

const header = (name: string, description: string) => ({
  ...{ name, in: "header", required: true, description },
  schema: { type: "string" },
});

const example = {
  ...{ id: "msg_2s3aPZ0cGtqQd0yq1Xw8Sg", type: "guest.arrived", host: "host-b" },
  created_at: "2026-01-02T03:04:05.678Z",
  guest: { name: "web1", addresses: ["10.1.0.10"], home: "host-a" },
  ...{ migration: null, event: null },
};

/** What receivers of webhooks are sent (OpenAPI Object, `webhooks`). */
export const eventWebhooks = {
  event: {
    post: {
      operationId: "receiveEvent",
      summary: "What happens, as receivers of webhooks are told; sent again until it is answered",
      tags: ["webhooks"],
      parameters: [
        header("webhook-id", "The message's id, the same at every attempt"),
        header("webhook-timestamp", "Of this attempt, seconds since 1970"),
        header("webhook-signature", "`v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`"),
      ],
      requestBody: {
        required: true,
        content: { "application/json": { schema: payloadSchema(), example } },
      },
      responses: { "2XX": { description: "Received; the body is ignored" } },
    },
  },
};

function payloadSchema() {
  const { $schema, ...schema } = z.toJSONSchema(hookPayloadSchema, { io: "input" });
  return schema;
}
