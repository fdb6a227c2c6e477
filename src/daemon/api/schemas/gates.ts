import { z } from "zod";
import { gatePoints } from "../../../migrator/gates.ts";

/** A gate's last word at one point of a migration. */
export const gateResultSchema = z
  .object({
    gate: z.string(),
    point: z.enum(gatePoints),
    decision: z.enum(["allow", "deny"]),
    answered: z.boolean().meta({ description: "False: the gate's configured default" }),
    reason: z.string().nullable(),
    waited_ms: z.number(),
    at_ms: z.number(),
  })
  .meta({ id: "GateResult" });

/** A gate that a migration will ask. */
export const plannedGateSchema = z
  .object({ gate: z.string(), points: z.array(z.enum(gatePoints)) })
  .meta({ id: "PlannedGate" });
