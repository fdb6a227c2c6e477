import { z } from "zod";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";

const health = z
  .object({ status: z.literal("ok"), host: z.string(), pid: z.int() })
  .meta({ id: "Health", examples: [{ status: "ok", host: "host-a", pid: 4711 }] });

/** Whether the daemon serves: an error while it is starting. */
export function addHealthRoutes(app: Api, services: () => DaemonServices, hostName: string): void {
  app.get(
    "/healthz",
    {
      config: { role: "read" },
      schema: {
        operationId: "getHealth",
        summary: "Whether the daemon serves",
        tags: ["host"],
        response: { 200: health },
      },
    },
    async () => {
      services();
      return { status: "ok" as const, host: hostName, pid: process.pid };
    },
  );
}
