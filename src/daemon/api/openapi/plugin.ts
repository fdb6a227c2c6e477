import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { createJsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import type { OpenAPIV3_1 } from "openapi-types";
import { z } from "zod";
import type { Api } from "../api.ts";
import { finishDocument, type OpenApiDocument } from "./document.ts";
import { documentHead } from "./head.ts";
import { eventWebhooks } from "./webhooks.ts";

const transformSchemas = createJsonSchemaTransform({});

/**
 * Makes the document of all routes that are added from here on, out of their zod schemas. To be awaited before the
 * first of them.
 */
export async function describeRoutes(app: Api): Promise<void> {
  await app.register(swagger, {
    // The types lack `mutualTLS` (OpenAPI 3.1, Security Scheme Object).
    openapi: documentHead as unknown as Partial<OpenAPIV3_1.Document>,
    transform: (route) => {
      const { schema, url } = transformSchemas(route);
      const role = route.route.config?.role;
      return { schema: role === undefined ? schema : { ...schema, "x-role": role }, url };
    },
    transformObject: (document) => ({
      ...finishDocument(jsonSchemaTransformObject(document) as unknown as OpenApiDocument),
      webhooks: eventWebhooks,
    }),
  });
}

/** Serves the document, and a page that shows it and needs nothing from elsewhere. */
export async function serveDocument(app: Api): Promise<void> {
  app.get(
    "/v1/openapi.json",
    {
      config: { role: "read" },
      schema: {
        operationId: "getOpenApi",
        summary: "This description, OpenAPI 3.1",
        tags: ["host"],
        response: { 200: z.looseObject({ openapi: z.string() }) },
      },
    },
    async () => app.swagger() as unknown as { openapi: string },
  );
  await app.register(async (page) => {
    page.addHook("onRoute", (route) => {
      route.config = { ...route.config, role: "read" };
    });
    await page.register(swaggerUi, {
      routePrefix: "/docs",
      staticCSP:
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
      theme: { title: "Sojourn API" },
      uiConfig: { docExpansion: "list", tryItOutEnabled: false },
    });
  });
}
