import { z } from "zod";
import { namePattern } from "../../platform/names.ts";
import { definePeerProcedures } from "../../platform/procedures.ts";
import { evacuationPlanSchema, evacuationRequestSchema, evacuationSchema } from "./schemas.ts";

const identified = z.strictObject({ id: z.string().regex(namePattern) });

/** Measuring the guests, and asking the destinations, comes before the answer. */
const beginningMs = 40_000;

/** What any host may ask of one that is to be emptied, for its operator. Optional: earlier releases do not know them. */
export const evacuationProcedures = definePeerProcedures({
  "plan-evacuation": {
    request: evacuationRequestSchema,
    response: z.object({ plan: evacuationPlanSchema }),
    timeoutMs: beginningMs,
  },
  "start-evacuation": {
    request: evacuationRequestSchema,
    response: z.object({ evacuation: evacuationSchema }),
    timeoutMs: beginningMs,
  },
  "list-evacuations": {
    request: z.strictObject({}),
    response: z.object({ evacuations: z.array(evacuationSchema).max(100) }),
  },
  /** Null for one that is not the asked host's. */
  "get-evacuation": {
    request: identified,
    response: z.object({ evacuation: evacuationSchema.nullable() }),
    timeoutMs: 5_000,
  },
  "cancel-evacuation": {
    request: identified.extend({ running: z.boolean() }),
    response: z.object({ evacuation: evacuationSchema }),
  },
});
