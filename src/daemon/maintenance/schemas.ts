import { z } from "zod";
import { longestReason } from "./maintenance.ts";

/** Body of `PUT /v1/host/maintenance`. */
export const maintenanceBody = z
  .strictObject({
    on: z.boolean(),
    reason: z.exactOptional(z.string().min(1).max(longestReason)).meta({
      description: "For people; of use with `on: true`",
    }),
  })
  .meta({ id: "MaintenanceRequest", examples: [{ on: true, reason: "new memory" }] });

/** Whether a host is in maintenance, and which guests it still has. */
export const maintenanceSchema = z
  .object({
    type: z.literal("maintenance"),
    host: z.string(),
    on: z.boolean().describe("Guests may leave the host, and none starts or arrives there"),
    since_ms: z
      .number()
      .nullable()
      .describe("Milliseconds since 1970; null when it is off, or its file was damaged"),
    reason: z.string().nullable(),
    guests: z.array(z.string()).describe("Guests that run there"),
    arriving: z
      .array(z.string())
      .describe("Guests on their way there: their migrations began before it and go on"),
    home_of: z
      .array(z.string())
      .describe("Guests that run elsewhere, and whose traffic passes this host, their home"),
  })
  .meta({
    id: "Maintenance",
    examples: [
      {
        ...{ type: "maintenance", host: "host-a", on: true, since_ms: 1_767_225_600_000 },
        ...{ reason: "new memory", guests: [], arriving: [], home_of: ["web1"] },
      },
    ],
  });

export type MaintenanceStatus = z.output<typeof maintenanceSchema>;

/** What this host's operator may do about its maintenance. */
export interface MaintenanceServices {
  showMaintenance(): Promise<MaintenanceStatus>;
  /**
   * Durable when it resolves; no guest is touched.
   * @throws SojournError `SOJ_EVACUATION_RUNNING` (409) for its end while this host is emptied, `SOJ_MAINTENANCE_UNSTORED`.
   */
  setMaintenance(request: z.output<typeof maintenanceBody>): Promise<MaintenanceStatus>;
}
