import { z } from "zod";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";
import { guestSchema } from "../schemas/guests.ts";
import { namedParams } from "../schemas/names.ts";

/** Guests of this host: list, show, start, stop. */
export function addGuestRoutes(app: Api, services: () => DaemonServices): void {
  app.get(
    "/v1/guests",
    {
      config: { role: "read" },
      schema: {
        operationId: "listGuests",
        summary: "The guests that this host knows",
        tags: ["guests"],
        response: { 200: z.array(guestSchema) },
      },
    },
    async () => services().listGuests(),
  );
  app.get(
    "/v1/guests/:name",
    {
      config: { role: "read" },
      schema: {
        operationId: "getGuest",
        summary: "One guest",
        tags: ["guests"],
        params: namedParams,
        response: { 200: guestSchema },
      },
    },
    async ({ params }) => services().showGuest(params.name),
  );
  app.post(
    "/v1/guests/:name/start",
    {
      config: { role: "operate" },
      schema: {
        operationId: "startGuest",
        summary: "Start a guest; nothing happens when it runs",
        tags: ["guests"],
        params: namedParams,
        response: { 200: guestSchema },
      },
    },
    async ({ params }) => services().startGuest(params.name),
  );
  app.post(
    "/v1/guests/:name/stop",
    {
      config: { role: "operate" },
      schema: {
        operationId: "stopGuest",
        summary: "Stop a guest",
        tags: ["guests"],
        params: namedParams,
        response: { 200: guestSchema },
      },
    },
    async ({ params }) => services().stopGuest(params.name),
  );
}
