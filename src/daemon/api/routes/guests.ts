import { z } from "zod";
import { adoptionRequestSchema, adoptionSchema, releaseSchema } from "../../adoption/schemas.ts";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";
import { guestSchema } from "../schemas/guests.ts";
import { namedParams } from "../schemas/names.ts";
import { retirementAnswer, retirementBody } from "../schemas/retirements.ts";

/** Guests of this host: list, show, adopt, retire, start, stop. */
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
    "/v1/guests",
    {
      config: { role: "admin", canWait: true },
      schema: {
        operationId: "adoptGuest",
        summary: "Make a guest of a QEMU that runs already, or say what would be made",
        tags: ["guests"],
        body: adoptionRequestSchema,
        response: { 200: adoptionSchema },
      },
    },
    async ({ body }) => services().adoptGuest(body),
  );
  app.post(
    "/v1/guests/:name/release",
    {
      config: { role: "admin", canWait: true },
      schema: {
        operationId: "releaseGuest",
        summary: "Forget an adopted guest, which runs on",
        tags: ["guests"],
        params: namedParams,
        response: { 200: releaseSchema },
      },
    },
    async ({ params }) => services().releaseGuest(params.name),
  );
  app.post(
    "/v1/guests/:name/retire",
    {
      config: { role: "admin", canWait: true },
      schema: {
        operationId: "retireGuest",
        summary: "End the redirect of a guest that is away for good, or say whom that cuts off",
        description:
          "At the guest's home, or where the guest is. 409 SOJ_NOT_REDIRECTED for one that is at home, SOJ_GUEST_BUSY during a migration",
        tags: ["guests"],
        params: namedParams,
        body: retirementBody,
        response: { 200: retirementAnswer },
      },
    },
    async ({ params, body }) => services().retireGuest(params.name, body),
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
