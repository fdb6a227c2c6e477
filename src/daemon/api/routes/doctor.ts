import { z } from "zod";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";
import { namedParams } from "../schemas/names.ts";

const check = z
  .object({
    id: z.string().describe("Stable, the same for each subject"),
    subject: z.string().nullable(),
    host: z.string().nullable().describe("The host that it is about, on which `mend` is to be run"),
    name: z.string().describe("For people"),
    result: z.enum(["ok", "warn", "fail", "skipped"]),
    detail: z.string(),
    why: z.string().nullable().describe("Why it matters; null when it is in order"),
    hint: z.string().nullable(),
    mend: z.string().nullable().describe("Lines for a shell that mend it"),
    fixable: z.boolean().describe("Whether `sojourn doctor --fix` runs them"),
  })
  .meta({
    id: "DoctorCheck",
    examples: [{ name: "daemon", result: "ok", detail: "runs (pid 4711)", hint: null }],
  });

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
  app.post(
    "/v1/doctor/peers/:name",
    {
      config: { role: "operate" },
      schema: {
        operationId: "examinePeer",
        summary: "Make each kind of tunnel to a peer for a moment, and see what passes through it",
        tags: ["host"],
        params: namedParams,
        response: { 200: z.array(check) },
      },
    },
    async ({ params }) => services().examinePeer(params.name),
  );
}
