import { z } from "zod";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";
import { linkNext } from "../list-pages.ts";
import { namedParams } from "../schemas/names.ts";
import {
  addWebhookBody,
  deliveriesQuery,
  deliveryParams,
  deliverySchema,
  newWebhookSchema,
  replaceWebhookBody,
  testResultSchema,
  webhookSchema,
} from "../schemas/webhooks.ts";

const tags = ["webhooks"];
const config = { role: "admin" } as const;

/** Webhooks: subscribe, list, change, remove, test, and what became of their messages. */
export function addWebhookRoutes(app: Api, services: () => DaemonServices): void {
  app.get(
    "/v1/webhooks",
    {
      config,
      schema: {
        operationId: "listWebhooks",
        summary: "All subscriptions",
        tags,
        response: { 200: z.array(webhookSchema) },
      },
    },
    async () => services().listWebhooks(),
  );
  app.post(
    "/v1/webhooks",
    {
      config,
      schema: {
        operationId: "addWebhook",
        summary: "Subscribe a receiver; the secret that signs is in this answer alone",
        tags,
        body: addWebhookBody,
        response: { 201: newWebhookSchema },
      },
    },
    async ({ body }, reply) => {
      const added = await services().addWebhook(body);
      return reply.status(201).header("location", `/v1/webhooks/${added.name}`).send(added);
    },
  );
  app.get(
    "/v1/webhooks/:name",
    {
      config,
      schema: {
        operationId: "getWebhook",
        summary: "One subscription",
        tags,
        params: namedParams,
        response: { 200: webhookSchema },
      },
    },
    async ({ params }) => services().getWebhook(params.name),
  );
  app.put(
    "/v1/webhooks/:name",
    {
      config,
      schema: {
        operationId: "replaceWebhook",
        summary: "Change a subscription; its secret stays unless another is given",
        tags,
        params: namedParams,
        body: replaceWebhookBody,
        response: { 200: webhookSchema },
      },
    },
    async ({ params, body }) => services().replaceWebhook(params.name, body),
  );
  app.delete(
    "/v1/webhooks/:name",
    {
      config,
      schema: {
        operationId: "removeWebhook",
        summary: "End a subscription; what waits for it is dropped",
        tags,
        params: namedParams,
        response: { 204: z.undefined() },
      },
    },
    async ({ params }, reply) => {
      await services().removeWebhook(params.name);
      return reply.status(204).send();
    },
  );
  app.post(
    "/v1/webhooks/:name/test",
    {
      config,
      schema: {
        operationId: "testWebhook",
        summary: "Send a signed message of type webhook.test at once",
        tags,
        params: namedParams,
        response: { 200: testResultSchema },
      },
    },
    async ({ params }) => services().testWebhook(params.name),
  );
  app.get(
    "/v1/webhooks/:name/deliveries",
    {
      config,
      schema: {
        operationId: "listDeliveries",
        summary:
          "What became of its messages, newest first; `exec` for the hooks folder's programs",
        tags,
        params: namedParams,
        querystring: deliveriesQuery,
        response: { 200: z.array(deliverySchema) },
      },
    },
    async (request, reply) => {
      const { params, query } = request;
      const { deliveries, next } = await services().listDeliveries(params.name, query);
      return linkNext(request, reply, next).send(deliveries);
    },
  );
  app.post(
    "/v1/webhooks/:name/deliveries/:id/replay",
    {
      config,
      schema: {
        operationId: "replayDelivery",
        summary: "Send a message again, with its id",
        tags,
        params: deliveryParams,
        response: { 202: deliverySchema },
      },
    },
    async ({ params }, reply) =>
      reply.status(202).send(await services().replayDelivery(params.name, params.id)),
  );
}
