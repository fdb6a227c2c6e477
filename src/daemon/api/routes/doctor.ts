import { z } from "zod";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";

const check = z
  .object({
    name: z.string(),
    result: z.enum(["ok", "warn", "fail"]),
    detail: z.string(),
    hint: z.string().nullable(),
  })
  .meta({ id: "DoctorCheck" });

/** The checks that only the running daemon can make. */
export function addDoctorRoutes(app: Api, services: () => DaemonServices): void {
  app.get(
    "/v1/doctor",
    {
      config: { role: "read" },
      schema: {
        operationId: "runDoctor",
        summary: "What the running daemon says of its host's health",
        tags: ["host"],
        response: { 200: z.array(check) },
      },
    },
    async () => services().doctor(),
  );
}
