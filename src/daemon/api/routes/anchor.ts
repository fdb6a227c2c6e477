import { handoverBody, handoverSchema } from "../../handover/schemas.ts";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";

/** What an anchor does with its guests' addresses. */
export function addAnchorRoutes(app: Api, services: () => DaemonServices): void {
  app.post(
    "/v1/anchor/handover",
    {
      config: { role: "admin" },
      schema: {
        operationId: "handOver",
        summary: "Hand all guests' addresses of this anchor over to another one, or say of whom",
        description:
          "Answers once it has begun; GET tells how it goes. 409 when it cannot be done, with nothing changed",
        tags: ["hosts"],
        body: handoverBody,
        response: { 200: handoverSchema },
      },
    },
    async ({ body }) => services().handOver(body),
  );
  app.get(
    "/v1/anchor/handover",
    {
      config: { role: "read" },
      schema: {
        operationId: "getHandover",
        summary: "The last handover of this anchor",
        tags: ["hosts"],
        response: { 200: handoverSchema },
      },
    },
    async () => services().showHandover(),
  );
}
